/* Planes of an image: mixed channels averaged over blocks, resized planes, lengths of gradients. */

#include <math.h>

enum {
    VALUES = 6144,      /* values of a row that are summed together */
    CHANNELS = 4,       /* the largest number of channels */
    COLUMNS = 512,      /* columns of a gradient that are computed together */
};

#define INLINE static inline __attribute__((always_inline))

static inline long smaller(long a, long b) { return a < b ? a : b; }

/* Sums the values of `rows` rows, `step` apart. */
INLINE void sum_rows(const float *from, long step, long rows, long count, float *to)
{
    for (long k = 0; k < count; k++)
        to[k] = from[k];
    for (long row = 1; row < rows; row++) {
        from += step;
        for (long k = 0; k < count; k++)
            to[k] += from[k];
    }
}

/* Sums blocks of `factor` pixels of a row, for each channel. */
INLINE void sum_blocks(
    const float *row, long wide, long factor, long channels, float scale, float (*to)[VALUES])
{
    for (long channel = 0; channel < channels; channel++) {
        float *sums = to[channel];
#pragma omp simd
        for (long k = 0; k < wide; k++) {
            const float *from = row + k * factor * channels + channel;
            float sum = from[0];
            for (long t = 1; t < factor; t++)
                sum += from[t * channels];
            sums[k] = sum * scale;
        }
    }
}

/* The number of blocks of a row that `mixed_means` computes together. */
static inline long tile_of(long factor, long channels) { return VALUES / (factor * channels); }

/* Averages blocks of `factor` by `factor` pixels, and mixes channels by a matrix.
 *
 * `images` is (images, height, width, channels), `matrix` (planes, channels), `out` (images, planes,
 * high, wide). The first block starts `before` rows and columns outside of the image, in the zero
 * padding.
 */
void mixed_means(
    const float *images, const float *matrix, float *out, long count, long height, long width,
    long channels, long planes, long factor, long before, long high, long wide, long threads)
{
    float scale = (float)(1.0 / (double)(factor * factor));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long place = 0; place < count * high; place++) {
        float line[VALUES], means[CHANNELS][VALUES];
        long image = place / high, row = place % high;
        long top = row * factor - before, bottom = smaller(top + factor, height);
        top = top < 0 ? 0 : top;
        const float *from = images + (image * height + top) * width * channels;
        for (long left = 0; left < wide; left += tile_of(factor, channels)) {
            long blocks = smaller(tile_of(factor, channels), wide - left);
            long start = left * factor - before, stop = smaller(start + blocks * factor, width);
            long outside = start < 0 ? -start : 0;
            for (long k = 0; k < outside * channels; k++)
                line[k] = 0;
            sum_rows(
                from + (start + outside) * channels, width * channels, bottom - top,
                (stop - start - outside) * channels, line + outside * channels);
            for (long k = (stop - start) * channels; k < blocks * factor * channels; k++)
                line[k] = 0;
            if (channels == 3 && factor == 2)
                sum_blocks(line, blocks, 2, 3, scale, means);
            else if (channels == 3 && factor == 1)
                sum_blocks(line, blocks, 1, 3, scale, means);
            else
                sum_blocks(line, blocks, factor, channels, scale, means);
            for (long plane = 0; plane < planes; plane++) {
                const float *weights = matrix + plane * channels;
                float *to = out + ((image * planes + plane) * high + row) * wide + left;
                for (long k = 0; k < blocks; k++)
                    to[k] = weights[0] * means[0][k];
                for (long channel = 1; channel < channels; channel++)
                    for (long k = 0; k < blocks; k++)
                        to[k] = __builtin_fmaf(weights[channel], means[channel][k], to[k]);
            }
        }
    }
}

typedef struct {
    const float *plane;
    long height, width;
} Plane;

/* Copies columns of a row, with zero padding. */
INLINE void copy_row(const Plane *plane, long row, long left, long count, float *to)
{
    long inside = row >= 0 && row < plane->height;
    long start = left < 0 ? 1 : 0, stop = inside ? smaller(count, plane->width - left) : 0;
    for (long k = 0; k < start; k++)
        to[k] = 0;
    const float *from = plane->plane + (inside ? row : 0) * plane->width + left;
    for (long k = start; k < stop; k++)
        to[k] = from[k];
    for (long k = stop > start ? stop : start; k < count; k++)
        to[k] = 0;
}

/* Smooths three values: by Scharr's (3, 10, 3) / 16, or by Prewitt's (1, 1, 1). */
INLINE float smoothed(float first, float middle, float last, int scharr)
{
    if (scharr)
        return __builtin_fmaf(0.625f, middle, (first + last) * 0.1875f);
    return first + middle + last;
}

INLINE void row_lengths(
    const float *above, const float *here, const float *below, float *to, long count, int scharr)
{
    float down[COLUMNS + 2];
#pragma omp simd
    for (long k = 0; k < count + 2; k++)
        down[k] = smoothed(above[k], here[k], below[k], scharr);
#pragma omp simd
    for (long k = 0; k < count; k++) {
        float x = down[k + 2] - down[k];
        float y = smoothed(below[k], below[k + 1], below[k + 2], scharr)
            - smoothed(above[k], above[k + 1], above[k + 2], scharr);
        float squares = __builtin_fmaf(y, y, x * x);
        to[k] = sqrtf(scharr ? squares : squares * (1.0f / 9));
    }
}

/* Computes the lengths of the gradients of planes, (planes, height, width), at `high` rows.
 *
 * The first needs `above` rows of zero padding. The filters are Scharr's, or Prewitt's divided by 3.
 */
void gradient_lengths(
    const float *planes, float *out, long count, long height, long width, long above, long high,
    long scharr, long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long place = 0; place < count * high; place++) {
        float rows[3][COLUMNS + 2];
        long top = place % high - above;
        Plane plane = {planes + place / high * height * width, height, width};
        for (long left = 0; left < width; left += COLUMNS) {
            long columns = smaller(COLUMNS, width - left);
            for (int t = 0; t < 3; t++)
                copy_row(&plane, top + t, left - 1, columns + 2, rows[t]);
            float *to = out + place * width + left;
            if (scharr)
                row_lengths(rows[0], rows[1], rows[2], to, columns, 1);
            else
                row_lengths(rows[0], rows[1], rows[2], to, columns, 0);
        }
    }
}

/* Resizes bilinearly: (count, height, width, channels) to planes, (count, channels, high, wide).
 *
 * `rows` and `columns` are the input positions before each output row and column, and `down` and
 * `across` the offsets from these, from 0 to 1. A position on the last input row or column is given as
 * the one before with an offset of 1.
 */
void resize_bilinear(
    const float *images, const int *rows, const float *down, const int *columns,
    const float *across, float *out, long count, long height, long width, long channels, long high,
    long wide, long threads)
{
    int next = width > 1 ? (int)channels : 0;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long place = 0; place < count * high; place++) {
        long image = place / high, row = place % high;
        const float *above = images + (image * height + rows[row]) * width * channels;
        const float *below = above + (height > 1 ? width * channels : 0);
        float behind = down[row];
        for (long channel = 0; channel < channels; channel++) {
            float *to = out + ((image * channels + channel) * high + row) * wide;
#pragma omp simd
            for (long k = 0; k < wide; k++) {
                int at = columns[k] * (int)channels + (int)channel;
                float first = above[at] + behind * (below[at] - above[at]);
                float second = above[at + next] + behind * (below[at + next] - above[at + next]);
                to[k] = first + across[k] * (second - first);
            }
        }
    }
}
