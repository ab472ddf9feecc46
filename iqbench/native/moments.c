/* Moments of every channel of two images, in one pass over both.
 *
 * Features are channels-last, (positions, channels), in float32. Sums are float64, of differences from
 * the values at the first position, which avoids cancellation in almost constant channels.
 */

#include "vectors.h"

enum {
    MOMENTS = 5,        /* x, y, x^2, y^2, x y */
    VALUES = 1 << 18,   /* values per block, so that sums do not depend on the threads */
    HALF = LANES / 2,   /* float64 values in a register */
};

static long positions_of_block(long channels) { return VALUES > channels ? VALUES / channels : 1; }

INLINE doubles widen(const float *from)
{
    return __builtin_convertvector(*(const narrowed *)from, doubles);
}

INLINE void add(doubles sums[MOMENTS], doubles x, doubles y)
{
    sums[0] += x;
    sums[1] += y;
    sums[2] += x * x;
    sums[3] += y * y;
    sums[4] += x * y;
}

/* Sums the channels that fit into two registers. */
INLINE void sum_channels(
    const float *x, const float *y, const float *first_x, const float *first_y, double *to,
    long positions, long channels)
{
    doubles low[MOMENTS] = {0}, high[MOMENTS] = {0};
    doubles low_x = widen(first_x), high_x = widen(first_x + HALF);
    doubles low_y = widen(first_y), high_y = widen(first_y + HALF);
    for (long p = 0; p < positions; p++) {
        add(low, widen(x + p * channels) - low_x, widen(y + p * channels) - low_y);
        add(high, widen(x + p * channels + HALF) - high_x, widen(y + p * channels + HALF) - high_y);
    }
    for (int m = 0; m < MOMENTS; m++)
        for (int k = 0; k < HALF; k++) {
            to[m * channels + k] = low[m][k];
            to[m * channels + HALF + k] = high[m][k];
        }
}

static void sum_channel(
    const float *x, const float *y, double first_x, double first_y, double *to, long positions,
    long channels)
{
    double sums[MOMENTS] = {0};
    for (long p = 0; p < positions; p++) {
        double a = x[p * channels] - first_x, b = y[p * channels] - first_y;
        sums[0] += a;
        sums[1] += b;
        sums[2] += a * a;
        sums[3] += b * b;
        sums[4] += a * b;
    }
    for (int m = 0; m < MOMENTS; m++)
        to[m * channels] = sums[m];
}

/* The number of blocks of `channel_moments` for a number of positions. */
long moment_blocks(long positions, long channels, long threads)
{
    (void)threads;
    long together = positions_of_block(channels);
    return (positions + together - 1) / together;
}

/* Sums the moments of each channel: `sums` is (blocks, 5, channels). */
void channel_moments(
    const float *reference, const float *output, double *sums, long positions, long channels,
    long threads)
{
    long together = positions_of_block(channels);
    long blocks = moment_blocks(positions, channels, threads);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (long b = 0; b < blocks; b++) {
        const float *x = reference + b * together * channels, *y = output + b * together * channels;
        long left = positions - b * together, count = left < together ? left : together;
        double *to = sums + b * MOMENTS * channels;
        long c = 0;
        for (; c + LANES <= channels; c += LANES)
            sum_channels(x + c, y + c, reference + c, output + c, to + c, count, channels);
        for (; c < channels; c++)
            sum_channel(x + c, y + c, reference[c], output[c], to + c, count, channels);
    }
}
