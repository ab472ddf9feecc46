/* PSNR-HVS and PSNR-HVS-M: the errors of 8x8 DCT coefficients, block by block.
 *
 * Blocks of 64 pixels are consecutive, in float32. Sums are float32 within a block and float64
 * over blocks.
 */

#include <math.h>

#include "vectors.h"

enum { SIDE = 8, PIXELS = SIDE * SIDE, HALF = SIDE / 2, QUARTER = HALF * HALF, ROW = 64 };

typedef float eight __attribute__((vector_size(4 * SIDE), aligned(4), may_alias));

/* The factors for blocks; the last two are 0 for the first coefficient. */
typedef struct {
    float cosines[PIXELS]; /* the DCT of eight values, one coefficient per row */
    float sensitivity[PIXELS]; /* squared */
    float masking[PIXELS];
    float threshold[PIXELS];
} Constants;

/* Transforms along both axes, also in place; `turned` has the cosines, one coefficient per column. */
INLINE void transform(
    const float *block, const float *cosines, const float *turned, float *coefficients)
{
    eight rows[SIDE];
    float columns[PIXELS];
    for (int k = 0; k < SIDE; k++)
        rows[k] = *(const eight *)(block + k * SIDE);
    for (int u = 0; u < SIDE; u++) {
        eight sum = cosines[u * SIDE] * rows[0];
        for (int k = 1; k < SIDE; k++)
            sum += cosines[u * SIDE + k] * rows[k];
        *(eight *)(columns + u * SIDE) = sum;
    }
    for (int u = 0; u < SIDE; u++) {
        eight sum = columns[u * SIDE] * *(const eight *)turned;
        for (int k = 1; k < SIDE; k++)
            sum += columns[u * SIDE + k] * *(const eight *)(turned + k * SIDE);
        *(eight *)(coefficients + u * SIDE) = sum;
    }
}

/* Returns the masking of a block: 1/32 sqrt(energy * variance within its quarters / variance). */
INLINE float masked(const float *block, const float *coefficients, const Constants *constants)
{
    float energy = 0, whole = 0, sums[4] = {0}, between = 0;
#pragma omp simd reduction(+ : energy, whole)
    for (int k = 0; k < PIXELS; k++) {
        float square = coefficients[k] * coefficients[k];
        energy += square * constants->masking[k];
        whole += k ? square : 0;
    }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            sums[i / HALF * 2 + j / HALF] += block[i * SIDE + j];
    float mean = (sums[0] + sums[1] + sums[2] + sums[3]) / PIXELS;
    for (int q = 0; q < 4; q++)
        between += (sums[q] / QUARTER - mean) * (sums[q] / QUARTER - mean);
    float inner = whole - between * QUARTER;
    inner = inner < 0 ? 0 : inner;
    float ratio = inner * (QUARTER / (QUARTER - 1.0f)) / (whole * (PIXELS / (PIXELS - 1.0f)));
    return whole == 0 ? 0 : sqrtf(energy * ratio) / 32;
}

/* Sums the weighted squares of errors, and of their unmasked parts, over 64 blocks each.
 *
 * `sums` is (rows, 2), with one row per 64 blocks.
 */
void block_errors(
    const float *reference, const float *output, const float *given, double *sums, long blocks,
    long threads)
{
    const Constants *constants = (const Constants *)given;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long row = 0; row < (blocks + ROW - 1) / ROW; row++) {
        long last = (row + 1) * ROW < blocks ? (row + 1) * ROW : blocks;
        double all = 0, seen = 0;
        float turned[PIXELS];
        for (int u = 0; u < SIDE; u++)
            for (int v = 0; v < SIDE; v++)
                turned[v * SIDE + u] = constants->cosines[u * SIDE + v];
        for (long n = row * ROW; n < last; n++) {
            const float *x = reference + n * PIXELS, *y = output + n * PIXELS;
            float apart[PIXELS], first[PIXELS], second[PIXELS], errors = 0, left = 0;
            /* Transform the difference, which avoids cancellation for similar images. */
            for (int k = 0; k < PIXELS; k++)
                apart[k] = y[k] - x[k];
            transform(x, constants->cosines, turned, first);
            transform(apart, constants->cosines, turned, apart);
            for (int k = 0; k < PIXELS; k++)
                second[k] = first[k] + apart[k];
            float mask = masked(x, first, constants), other = masked(y, second, constants);
            /* NaN stays NaN. */
            mask = other < mask ? mask : other;
#pragma omp simd reduction(+ : errors, left)
            for (int k = 0; k < PIXELS; k++) {
                float error = fabsf(apart[k]);
                float rest = error - mask * constants->threshold[k];
                rest = rest < 0 ? 0 : rest;
                errors += error * error * constants->sensitivity[k];
                left += rest * rest * constants->sensitivity[k];
            }
            all += errors;
            seen += left;
        }
        sums[2 * row] = all;
        sums[2 * row + 1] = seen;
    }
}
