/* The errors of SSIMULACRA 2 at one scale: blurs, maps and sums in one pass over both images.
 *
 * Planes are consecutive, in float32, with the border for the blur. Sums over a few hundred positions
 * are float32, and over more float64.
 */

#include <math.h>

#include "vectors.h"

enum { TAPS = 9, REACH = TAPS / 2, BLOCK = 256, WIDE = BLOCK + TAPS - 1, SUMS = 6 };

typedef struct {
    float x[WIDE], y[WIDE], squares[WIDE], apart[WIDE];
} Filtered;

/* Filters nine rows: both images, the sum of their squares, the square of their difference. */
INLINE void filter_columns(
    const float *x, const float *y, const float *window, long row_size, long count, Filtered *to)
{
#pragma omp simd
    for (long k = 0; k < count; k++) {
        float first = 0, second = 0, squares = 0, apart = 0;
        for (int t = 0; t < TAPS; t++) {
            float a = x[t * row_size + k], b = y[t * row_size + k], weight = window[t];
            first += weight * a;
            second += weight * b;
            squares += weight * (a * a + b * b);
            apart += weight * ((a - b) * (a - b));
        }
        to->x[k] = first;
        to->y[k] = second;
        to->squares[k] = squares;
        to->apart[k] = apart;
    }
}

/* Filters along the row, and adds the sums of the maps and of their fourth powers. */
INLINE void add_maps(
    const Filtered *rows, const float *x, const float *y, const float *window, float constant,
    long count, double *sums)
{
    float structure = 0, ringing = 0, blurring = 0, structure4 = 0, ringing4 = 0, blurring4 = 0;
#pragma omp simd reduction(+ : structure, ringing, blurring, structure4, ringing4, blurring4)
    for (long k = 0; k < count; k++) {
        float mean = 0, other = 0, spread = 0, differing = 0;
        for (int t = 0; t < TAPS; t++) {
            mean += window[t] * rows->x[k + t];
            other += window[t] * rows->y[k + t];
            spread += window[t] * rows->squares[k + t];
            differing += window[t] * rows->apart[k + t];
        }
        float apart = (mean - other) * (mean - other);
        spread = spread - mean * mean - other * other + constant;
        float error = 1 - (1 - apart) * (1 - (differing - apart) / spread);
        float edges = (1 + fabsf(y[k] - other)) / (1 + fabsf(x[k] - mean)) - 1;
        /* NaN stays NaN. */
        error = error < 0 ? 0 : error;
        float more = edges < 0 ? 0 : edges, less = edges > 0 ? 0 : -edges;
        structure += error;
        ringing += more;
        blurring += less;
        structure4 += error * error * (error * error);
        ringing4 += more * more * (more * more);
        blurring4 += less * less * (less * less);
    }
    sums[0] += structure;
    sums[1] += ringing;
    sums[2] += blurring;
    sums[3] += structure4;
    sums[4] += ringing4;
    sums[5] += blurring4;
}

/* Sums structure, ringing and blurring, and their fourth powers: `sums` is (planes, height, 6).
 *
 * `height` and `width` count valid positions: eight less than the planes have. `constants` has the
 * nine weights, and a constant that is added to the variances.
 */
void xyb_sums(
    const float *reference, const float *output, const float *constants, double *sums, long planes,
    long height, long width, long threads)
{
    long row_size = width + TAPS - 1, size = (height + TAPS - 1) * row_size;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long place = 0; place < planes * height; place++) {
        long start = place / height * size + place % height * row_size;
        double *to = sums + place * SUMS;
        Filtered rows;
        for (int n = 0; n < SUMS; n++)
            to[n] = 0;
        for (long left = 0; left < width; left += BLOCK) {
            long count = width - left < BLOCK ? width - left : BLOCK;
            const float *x = reference + start + left, *y = output + start + left;
            long centre = REACH * row_size + REACH;
            filter_columns(x, y, constants, row_size, count + TAPS - 1, &rows);
            add_maps(&rows, x + centre, y + centre, constants, constants[TAPS], count, to);
        }
    }
}
