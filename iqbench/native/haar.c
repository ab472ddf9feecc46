/* Haar wavelets of luma, means of colours, and the similarity of both between two images.
 *
 * Reisenhofer, Bosse, Kutyniok and Wiegand, A Haar wavelet-based perceptual similarity index for
 * image quality assessment, Signal Processing: Image Communication 2018,
 * doi:10.1016/j.image.2017.11.001.
 */

#include <math.h>

#include "elementary.h"

enum {
    SIZES = 3,          /* wavelets of 2, 4 and 8 positions */
    BEFORE = 3,         /* rows and columns of the largest wavelet before its position */
    AFTER = 4,
    REACH = BEFORE + AFTER,
    WAVELETS = 2 * SIZES,
    COLUMNS = 512,      /* positions that are computed together */
    BLOCK = 2048,
};

#define INLINE static inline __attribute__((always_inline))

static inline long smaller(long a, long b) { return a < b ? a : b; }

/* Sums `half` numbers before, or after, a position. */
INLINE float sum_of(const float *from, int half)
{
    float sum = from[0];
#pragma GCC unroll 4
    for (int t = 1; t < half; t++)
        sum += from[t];
    return sum;
}

/* Copies columns of a row, with zero padding. */
static void copy_columns(const float *row, long width, long left, long count, float *to)
{
    for (long k = 0; k < count; k++)
        to[k] = left + k >= 0 && left + k < width ? row[left + k] : 0.0f;
}

/* Computes the wavelets of one size in both directions, from eight rows that start `BEFORE` columns
 * before. */
INLINE void transform(
    const float (*rows)[COLUMNS + REACH], int half, long count, float *down, float *across)
{
    float upper[COLUMNS + REACH], lower[COLUMNS + REACH];
    for (long k = 0; k < count + REACH; k++) {
        upper[k] = rows[BEFORE][k];
        lower[k] = rows[BEFORE + 1][k];
#pragma GCC unroll 4
        for (int t = 1; t < half; t++) {
            upper[k] += rows[BEFORE - t][k];
            lower[k] += rows[BEFORE + 1 + t][k];
        }
    }
    for (long k = 0; k < count; k++) {
        long left = k + BEFORE + 1 - half, right = k + BEFORE + 1;
        float first = sum_of(upper + left, half), second = sum_of(upper + right, half);
        float third = sum_of(lower + left, half), fourth = sum_of(lower + right, half);
        down[k] = fabsf((first + second - third - fourth) * (0.5f / (float)half));
        across[k] = fabsf((first + third - second - fourth) * (0.5f / (float)half));
    }
}

/* Transforms an image of luma, or of luma and two colours: (channels, high + 7, width) to
 * (6 + channels - 1, high, width), with zeros on the left and right. */
void haar_coefficients(
    const float *image, float *out, long channels, long high, long width, long threads)
{
    long plane = (high + REACH) * width, size = high * width;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long row = 0; row < high; row++)
        for (long left = 0; left < width; left += COLUMNS) {
            float rows[REACH + 1][COLUMNS + REACH];
            long count = smaller(COLUMNS, width - left);
            float *to = out + row * width + left;
            for (long t = 0; t <= REACH; t++)
                copy_columns(
                    image + (row + t) * width, width, left - BEFORE, count + REACH, rows[t]);
            transform(rows, 1, count, to, to + size);
            transform(rows, 2, count, to + 2 * size, to + 3 * size);
            transform(rows, 4, count, to + 4 * size, to + 5 * size);
            for (long channel = 1; channel < channels; channel++) {
                float *mean = to + (WAVELETS + channel - 1) * size;
                for (long t = 0; t < 2; t++)
                    copy_columns(
                        image + channel * plane + (row + BEFORE + t) * width, width, left,
                        count + 1, rows[t]);
                for (long k = 0; k < count; k++)
                    mean[k] = fabsf(
                        (rows[0][k] + rows[1][k] + (rows[0][k + 1] + rows[1][k + 1])) * 0.25f);
            }
        }
}

INLINE float similar(float x, float y, float constant)
{
    float apart = x - y;
    return 1 - apart * apart / (constant + x * x + y * y);
}

INLINE float larger_of(float x, float y) { return y > x || y != y ? y : x; }

INLINE float sigmoid(float value) { return 1 / (1 + exponential(-value)); }

/* The number of blocks of `haar_sums` for a number of positions. */
long haar_blocks(long count, long threads)
{
    (void)threads;
    return (count + BLOCK - 1) / BLOCK;
}

/* Sums the weighted similarity of coefficients, (6 or 8, count), and the weights: (blocks, 2).
 *
 * `constants`: that of the similarity, and its factor in the sigmoid.
 */
void haar_sums(
    const float *first, const float *second, const float *constants, double *sums, long count,
    long coloured, long threads)
{
    const float constant = constants[0], steep = constants[1];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long block = 0; block < haar_blocks(count, threads); block++) {
        float found[2][BLOCK];
        long start = block * BLOCK, size = smaller(BLOCK, count - start);
        const float *x = first + start, *y = second + start;
        for (long k = 0; k < size; k++)
            found[0][k] = found[1][k] = 0;
        for (int turn = 0; turn < 2; turn++) {
            const float *a = x + turn * count, *b = y + turn * count;
#pragma omp simd
            for (long k = 0; k < size; k++) {
                float alike = similar(a[k], b[k], constant)
                    + similar(a[k + 2 * count], b[k + 2 * count], constant);
                float weight = larger_of(a[k + 4 * count], b[k + 4 * count]);
                found[0][k] += sigmoid(steep * (alike * 0.5f)) * weight;
                found[1][k] += weight;
            }
        }
        if (coloured) {
            const float *a = x + WAVELETS * count, *b = y + WAVELETS * count;
#pragma omp simd
            for (long k = 0; k < size; k++) {
                float alike = similar(a[k], b[k], constant)
                    + similar(a[k + count], b[k + count], constant);
                float weight = found[1][k] * 0.5f;
                found[0][k] += sigmoid(steep * (alike * 0.5f)) * weight;
                found[1][k] += weight;
            }
        }
        double weighted = 0, weights = 0;
#pragma omp simd reduction(+ : weighted, weights)
        for (long k = 0; k < size; k++) {
            weighted += found[0][k];
            weights += found[1][k];
        }
        sums[2 * block] = weighted;
        sums[2 * block + 1] = weights;
    }
}
