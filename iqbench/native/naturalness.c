/* Sums for NIQE: local sums, and sums by sign over blocks.
 *
 * Mittal, Soundararajan and Bovik, Making a completely blind image quality analyzer, IEEE SPL 2013,
 * doi:10.1109/LSP.2012.2227726. Planes are float64. In flat regions, the signs of rounding errors
 * decide, so each product and each sum is rounded, in the order of the window's values.
 */

#include <math.h>
#include <string.h>

enum {
    SIZE = 7,           /* rows and columns of the window */
    KINDS = 5,          /* the values, and their products with four neighbours */
    SUMS = 5,           /* count and squares of negative and of positive values; |v| */
};

/* Filters an image of (height + 6, width + 6) with a 7x7 window on valid positions. */
void window_sums(
    const double *image, const double *window, double *out, long height, long width, long threads)
{
    long step = width + SIZE - 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long row = 0; row < height; row++) {
        const double *from = image + row * step;
#pragma omp simd
        for (long k = 0; k < width; k++) {
            double sum = 0;
#pragma GCC unroll 7
            for (int r = 0; r < SIZE; r++)
#pragma GCC unroll 7
                for (int t = 0; t < SIZE; t++)
                    sum += window[r * SIZE + t] * from[r * step + k + t];
            out[row * width + k] = sum;
        }
    }
}

static void add_row(const double *first, const double *second, long count, double *sums)
{
    double negatives = 0, below = 0, positives = 0, above = 0, size = 0;
#pragma omp simd reduction(+ : negatives, below, positives, above, size)
    for (long k = 0; k < count; k++) {
        double value = first[k] * second[k], square = value * value;
        negatives += value < 0 ? 1.0 : 0.0;
        below += value < 0 ? square : 0.0;
        positives += value > 0 ? 1.0 : 0.0;
        above += value > 0 ? square : 0.0;
        size += fabs(value);
    }
    sums[0] += negatives;
    sums[1] += below;
    sums[2] += positives;
    sums[3] += above;
    sums[4] += size;
}

/* Shifts a row cyclically by one position, to the right or to the left. */
static void roll(const double *from, double *to, long count, int back)
{
    if (back) {
        memcpy(to, from + 1, (count - 1) * sizeof *to);
        to[count - 1] = from[0];
    } else {
        memcpy(to + 1, from, (count - 1) * sizeof *to);
        to[0] = from[count - 1];
    }
}

/* Sums square blocks, and their products with themselves shifted right, down, down and right, down and
 * left; `sums` is (blocks, 5, 5). */
void sign_sums(const double *blocks, double *sums, long count, long side, long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long b = 0; b < count; b++) {
        const double *block = blocks + b * side * side;
        double ones[side], moved[side], *to = sums + b * KINDS * SUMS;
        memset(to, 0, KINDS * SUMS * sizeof *to);
        for (long k = 0; k < side; k++)
            ones[k] = 1;
        for (long row = 0; row < side; row++) {
            const double *here = block + row * side;
            const double *above = block + (row ? row - 1 : side - 1) * side;
            add_row(here, ones, side, to);
            roll(here, moved, side, 0);
            add_row(here, moved, side, to + SUMS);
            add_row(here, above, side, to + 2 * SUMS);
            roll(above, moved, side, 0);
            add_row(here, moved, side, to + 3 * SUMS);
            roll(above, moved, side, 1);
            add_row(here, moved, side, to + 4 * SUMS);
        }
    }
}
