/* Distances between the features of two images at one layer, in one pass over both.
 *
 * Features are channels-last, (positions, channels), in float32 or bfloat16. Sums are float32 over a
 * few positions and float64 beyond. Each step rounds, so that equal features have a distance of 0.
 */

#include <math.h>

#include "vectors.h"

enum {
    TOGETHER = 1024,    /* values that are summed in float32 */
    BLOCK = 64,         /* times TOGETHER per block, so that sums do not depend on the threads */
};

/* Converts bfloat16 to float32; float32 is used in place. */
static const float *widened(const char *from, long first, long count, float *room, int half)
{
    if (!half)
        return (const float *)from + first;
    const unsigned short *halves = (const unsigned short *)from + first;
    for (long k = 0; k < count; k++) {
        union { unsigned raw; float value; } wide = {(unsigned)halves[k] << 16};
        room[k] = wide.value;
    }
    return room;
}

static float absolute(const float *x, const float *y, long count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (long k = 0; k < count; k++)
        sum += fabsf(x[k] - y[k]);
    return sum;
}

static float squared(const float *x, const float *y, long count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (long k = 0; k < count; k++)
        sum += (x[k] - y[k]) * (x[k] - y[k]);
    return sum;
}

/* The weighted squared difference of two vectors at unit length. */
static float at_unit_length(
    const float *x, const float *y, const float *weight, float epsilon, long channels)
{
    float sum_x = 0, sum_y = 0, sum = 0;
#pragma omp simd reduction(+ : sum_x, sum_y)
    for (long k = 0; k < channels; k++) {
        sum_x += x[k] * x[k];
        sum_y += y[k] * y[k];
    }
    float by_x = 1 / (sqrtf(sum_x) + epsilon), by_y = 1 / (sqrtf(sum_y) + epsilon);
#pragma omp simd reduction(+ : sum)
    for (long k = 0; k < channels; k++) {
        float difference = x[k] * by_x - y[k] * by_y;
        sum += weight[k] * (difference * difference);
    }
    return sum;
}

/* The number of blocks of `feature_sums` for a number of positions. */
long feature_blocks(long positions, long channels, long threads)
{
    (void)threads;
    long together = TOGETHER > channels ? TOGETHER / channels : 1;
    return (positions + BLOCK * together - 1) / (BLOCK * together);
}

/* Sums |x - y|, (x - y)^2 and the weighted squared difference at unit length, each if wanted: `sums`
 * is (blocks, 3). */
void feature_sums(
    const char *reference, const char *output, const float *weight, double *sums, long positions,
    long channels, long half, long wants_absolute, long wants_squared, long wants_unit,
    long threads)
{
    long together = TOGETHER > channels ? TOGETHER / channels : 1;
    long blocks = feature_blocks(positions, channels, threads);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (long b = 0; b < blocks; b++) {
        float room_x[together * channels], room_y[together * channels];
        double *found = sums + 3 * b;
        found[0] = found[1] = found[2] = 0;
        long end = (b + 1) * BLOCK * together;
        for (long p = b * BLOCK * together; p < end && p < positions; p += together) {
            long count = positions - p < together ? positions - p : together;
            const float *x = widened(reference, p * channels, count * channels, room_x, half);
            const float *y = widened(output, p * channels, count * channels, room_y, half);
            if (wants_absolute)
                found[0] += absolute(x, y, count * channels);
            if (wants_squared)
                found[1] += squared(x, y, count * channels);
            for (long q = 0; wants_unit && q < count; q++)
                found[2] += at_unit_length(
                    x + q * channels, y + q * channels, weight, 1e-10f, channels);
        }
    }
}
