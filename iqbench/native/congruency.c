/* Phase congruency, and similarities that are weighted by it or by saliency.
 *
 * Zhang, Zhang, Mou and Zhang, FSIM: a feature similarity index for image quality assessment, IEEE
 * TIP 2011, doi:10.1109/TIP.2011.2109730; Kovesi, Image features from phase congruency, Videre 1999.
 */

#include <math.h>
#include <string.h>

#include "elementary.h"

enum {
    SCALES = 4,
    ORIENTATIONS = 4,
    BLOCK = 4096,       /* positions that are computed together */
    BINS = 2048,        /* bins of a histogram over 11 bits */
    SUMS = 3,
};

#define INLINE static inline __attribute__((always_inline))

static inline long smaller(long a, long b) { return a < b ? a : b; }

/* Multiplies a complex spectrum by filters, (filters, count). */
void filtered_spectra(
    const float *spectrum, const float *filters, float *out, long number, long count, long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long start = 0; start < count; start += BLOCK)
        for (long filter = 0; filter < number; filter++) {
            long place = filter * count;
#pragma omp simd
            for (long k = start; k < smaller(start + BLOCK, count); k++) {
                out[2 * (place + k)] = spectrum[2 * k] * filters[place + k];
                out[2 * (place + k) + 1] = spectrum[2 * k + 1] * filters[place + k];
            }
        }
}

/* Computes from the complex responses of one orientation, (SCALES, count): the squared lengths at the
 * finest scale; the sum along their mean direction minus the sum across it; and the sum of the
 * lengths, which is added to `amplitude`, or written to it for the first orientation. */
void oriented_parts(
    const float *answers, float *squares, float *along, float *amplitude, long count, long first,
    long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long start = 0; start < count; start += BLOCK) {
        long stop = smaller(start + BLOCK, count);
#pragma omp simd
        for (long k = start; k < stop; k++) {
            float even[SCALES], odd[SCALES], lengths = 0, real = 0, imaginary = 0;
#pragma GCC unroll 4
            for (int scale = 0; scale < SCALES; scale++) {
                even[scale] = answers[2 * (scale * count + k)];
                odd[scale] = answers[2 * (scale * count + k) + 1];
                float square = even[scale] * even[scale] + odd[scale] * odd[scale];
                if (scale == 0)
                    squares[k] = square;
                lengths += sqrtf(square);
                real += even[scale];
                imaginary += odd[scale];
            }
            float square = real * real + imaginary * imaginary;
            float length = sqrtf(square) + 1e-4f, across = 0;
            real /= length;
            imaginary /= length;
#pragma GCC unroll 4
            for (int scale = 0; scale < SCALES; scale++)
                across += fabsf(even[scale] * imaginary - odd[scale] * real);
            along[k] = square / length - across;
            amplitude[k] = first ? lengths : amplitude[k] + lengths;
        }
    }
}

/* Returns the number with rank `rank` of nonnegative numbers, whose bits sort like their values. */
static float ranked(const unsigned *raw, long count, long rank)
{
    static const int shifts[] = {21, 10, 0};
    unsigned known = 0, mask = 0;
    for (int level = 0; level < 3; level++) {
        unsigned bins[BINS], bin = 0;
        memset(bins, 0, sizeof bins);
        int shift = shifts[level];
        unsigned last = level < 2 ? BINS - 1 : BINS / 2 - 1;
        for (long k = 0; k < count; k++)
            if ((raw[k] & mask) == known)
                bins[raw[k] >> shift & last]++;
        while (bin < last && rank >= (long)bins[bin])
            rank -= bins[bin++];
        known |= bin << shift;
        mask |= last << shift;
    }
    float found;
    memcpy(&found, &known, sizeof found);
    return found;
}

/* Computes the median of each plane, (planes, count), of nonnegative numbers; for an even count, the
 * mean of the middle two. */
void medians(const float *values, float *out, long planes, long count, long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long plane = 0; plane < planes; plane++) {
        const float *given = values + plane * count;
        float lower = ranked((const unsigned *)given, count, (count - 1) / 2);
        long within = 0;
        float above = INFINITY;
#pragma omp simd reduction(+ : within) reduction(min : above)
        for (long k = 0; k < count; k++) {
            within += given[k] <= lower;
            float other = given[k] > lower ? given[k] : INFINITY;
            above = other < above ? other : above;
        }
        float upper = within > count / 2 ? lower : above;
        out[plane] = (lower + upper) / 2;
    }
}

/* Sums the excess over the thresholds over orientations, (ORIENTATIONS, count), and divides it by the
 * amplitude. */
void congruencies(
    const float *along, const float *thresholds, const float *amplitude, float *out, long count,
    long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long start = 0; start < count; start += BLOCK) {
        long stop = smaller(start + BLOCK, count);
#pragma omp simd
        for (long k = start; k < stop; k++) {
            float energy = 0;
#pragma GCC unroll 4
            for (int turn = 0; turn < ORIENTATIONS; turn++) {
                float excess = along[turn * count + k] - thresholds[turn];
                energy += excess < 0 ? 0.0f : excess;
            }
            float divisor = amplitude[k] > 0 ? amplitude[k] : 1.0f;
            out[k] = amplitude[k] > 0 ? energy / divisor : 0.0f;
        }
    }
}

INLINE float similar(float x, float y, float constant)
{
    float apart = x - y;
    return 1 - apart * apart / (constant + x * x + y * y);
}

/* The number of blocks of `weighted_sums` for a number of positions. */
long weighted_blocks(long count, long threads)
{
    (void)threads;
    return (count + BLOCK - 1) / BLOCK;
}

INLINE float real_power(float base, float exponent, float turned)
{
    float power = power_of(fabsf(base), exponent);
    return base < 0 ? power * turned : power;
}

/* Sums the larger weights; their product with the similarity of weights and slopes; and the product
 * of this with the similarity of two colours. `sums` is (blocks, 3).
 *
 * For each image: weights and slopes, (count,), and colours, (2, count), unless `gray`. `constants`:
 * those of weights, slopes and colours; the exponents of slopes and colours; and the factor from the
 * power of a negative similarity of colours, which is complex, to its real part.
 */
void weighted_sums(
    const float *weights, const float *other_weights, const float *slopes,
    const float *other_slopes, const float *colours, const float *other_colours,
    const float *constants, double *sums, long count, long gray, long threads)
{
    const float by_slope = constants[3], by_colour = constants[4], turned = constants[5];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long block = 0; block < weighted_blocks(count, threads); block++) {
        float found[2][BLOCK];
        double all = 0, plain = 0, coloured = 0;
        long start = block * BLOCK, size = smaller(BLOCK, count - start);
        const float *w = weights + start, *v = other_weights + start;
        const float *g = slopes + start, *h = other_slopes + start;
        const float *c = colours + (gray ? 0 : start), *d = other_colours + (gray ? 0 : start);
#pragma omp simd
        for (long k = 0; k < size; k++) {
            float alike = power_of(similar(g[k], h[k], constants[1]), by_slope);
            found[0][k] = similar(w[k], v[k], constants[0]) * alike;
        }
        if (!gray) {
#pragma omp simd
            for (long k = 0; k < size; k++) {
                float alike = similar(c[k], d[k], constants[2])
                    * similar(c[count + k], d[count + k], constants[2]);
                found[1][k] = found[0][k] * real_power(alike, by_colour, turned);
            }
        } else
            memcpy(found[1], found[0], (size_t)size * sizeof(float));
#pragma omp simd reduction(+ : all, plain, coloured)
        for (long k = 0; k < size; k++) {
            float larger = v[k] > w[k] || v[k] != v[k] ? v[k] : w[k];
            all += larger;
            plain += found[0][k] * larger;
            coloured += found[1][k] * larger;
        }
        sums[block * SUMS] = all;
        sums[block * SUMS + 1] = plain;
        sums[block * SUMS + 2] = coloured;
    }
}
