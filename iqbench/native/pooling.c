/* Blurred L2 pooling: the root of squares, filtered with [1 2 1]/4 along both axes with stride 2.
 *
 * Ding et al., Image quality assessment: unifying structure and texture similarity, IEEE TPAMI 2020,
 * doi:10.1109/TPAMI.2020.3045810. Features are channels-last, in float32, in one or two pieces from
 * top to bottom, with zero padding.
 */

#include <math.h>

#include "vectors.h"

/* Filters three rows at one column. */
INLINE float filtered(float above, float centre, float below)
{
    return above * above + 2 * (centre * centre) + below * below;
}

/* Pools to `high` rows; the first needs `above` rows of zeros, 0 or 1. */
void l2_pool(
    const float *first, const float *second, long first_rows, long second_rows, float *out,
    long images, long width, long channels, long above, long high, long threads)
{
    long wide = (width + 1) / 2;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long place = 0; place < images * high; place++) {
        long image = place / high, top = 2 * (place % high) - above;
        float zeros[channels], kept[channels], *to = out + place * wide * channels;
        const float *rows[3];
        long steps[3];
        for (long c = 0; c < channels; c++)
            zeros[c] = kept[c] = 0;
        for (int k = 0; k < 3; k++) {
            long row = top + k, inside = row >= 0 && row < first_rows + second_rows;
            rows[k] = zeros;
            if (inside && row < first_rows)
                rows[k] = first + (image * first_rows + row) * width * channels;
            else if (inside)
                rows[k] = second + (image * second_rows + row - first_rows) * width * channels;
            steps[k] = inside ? channels : 0;
        }
        for (long column = 0; column < width; column += 2, to += channels) {
            const float *a = rows[0] + column * steps[0], *b = rows[1] + column * steps[1],
                        *c = rows[2] + column * steps[2];
            if (column + 1 < width) {
                const float *d = a + steps[0], *e = b + steps[1], *f = c + steps[2];
#pragma omp simd
                for (long k = 0; k < channels; k++) {
                    float next = filtered(d[k], e[k], f[k]);
                    float sum = kept[k] + 2 * filtered(a[k], b[k], c[k]) + next;
                    kept[k] = next;
                    to[k] = sqrtf(sum * (1.0f / 16) + 1e-12f);
                }
            } else {
#pragma omp simd
                for (long k = 0; k < channels; k++) {
                    float sum = kept[k] + 2 * filtered(a[k], b[k], c[k]);
                    to[k] = sqrtf(sum * (1.0f / 16) + 1e-12f);
                }
            }
        }
    }
}
