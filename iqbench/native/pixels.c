/* Sums for PSNR and total variation, over pixels and their neighbours, in one pass.
 *
 * Images are channels-last, (height, width, channels), in float32. Sums are float64.
 */

#include <math.h>

enum { SQUARED_ERROR, DX, DX2, DY, DY2, ISO, STATISTICS = 5, RESIDUAL_DX = 11, RESIDUAL_DY, SUMS };

/* Differences are float32, and their squares are float64, which are exact. */
static double absolute(const float *x, const float *y, long count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (long k = 0; k < count; k++)
        sum += fabsf(x[k] - y[k]);
    return sum;
}

static double squared(const float *x, const float *y, long count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (long k = 0; k < count; k++) {
        double difference = x[k] - y[k];
        sum += difference * difference;
    }
    return sum;
}

/* Lengths of the gradients of differences to the right and to the row below. */
static double lengths(const float *row, const float *below, long step, long count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (long k = 0; k < count; k++) {
        float dx = row[k + step] - row[k], dy = below[k] - row[k];
        sum += sqrtf(dx * dx + dy * dy);
    }
    return sum;
}

/* Differences of the residual y - x between two positions. */
static double residual(const float *x, const float *y, long to, long count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (long k = 0; k < count; k++)
        sum += fabsf((y[k + to] - x[k + to]) - (y[k] - x[k]));
    return sum;
}

/* Adds the wanted sums of a row of one image; the row below may be missing. */
static void add_variation(
    const float *row, long row_size, long step, int stands, int below, const long *wanted,
    double *sums)
{
    long across = row_size - step;
    const float *next = row + row_size;
    if (stands && wanted[0])
        sums[0] += absolute(row + step, row, across);
    if (stands && wanted[1])
        sums[1] += squared(row + step, row, across);
    if (below && wanted[2])
        sums[2] += absolute(next, row, row_size);
    if (below && wanted[3])
        sums[3] += squared(next, row, row_size);
    if (below && wanted[4])
        sums[4] += lengths(row, next, step, across);
}

/* Computes the wanted sums, in the order of the enumeration above, row by row: `sums` is
 * (height, SUMS).
 *
 * `own` is the number of rows for sums that do not need the next row: the last row of a band is also
 * the first of the next band.
 */
void pixel_sums(
    const float *reference, const float *output, const long *wanted, double *sums, long height,
    long width, long channels, long own, long threads)
{
    long row_size = width * channels;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long i = 0; i < height; i++) {
        const float *x = reference + i * row_size, *y = output + i * row_size;
        double *found = sums + i * SUMS;
        int stands = i < own, below = i + 1 < height;
        for (long n = 0; n < SUMS; n++)
            found[n] = 0;
        if (stands && wanted[SQUARED_ERROR])
            found[SQUARED_ERROR] = squared(y, x, row_size);
        add_variation(x, row_size, channels, stands, below, wanted + DX, found + DX);
        add_variation(
            y, row_size, channels, stands, below, wanted + DX + STATISTICS,
            found + DX + STATISTICS);
        if (stands && wanted[RESIDUAL_DX])
            found[RESIDUAL_DX] = residual(x, y, channels, row_size - channels);
        if (below && wanted[RESIDUAL_DY])
            found[RESIDUAL_DY] = residual(x, y, row_size, row_size);
    }
}
