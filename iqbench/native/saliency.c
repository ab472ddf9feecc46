/* Visual saliency by simple priors.
 *
 * Zhang, Gu and Li, SDSP: a novel saliency detection method by combining simple priors, ICIP 2013,
 * doi:10.1109/ICIP.2013.6738036.
 */

#include <math.h>

#include "elementary.h"
#include "vectors.h"

enum { BLOCK = 4096 };  /* positions that are computed together */

static inline long smaller(long a, long b) { return a < b ? a : b; }

/* Multiplies the length of three filter responses by closeness to the centre and by warmth.
 *
 * `answers` and `lab` are (3, count). Warmth is 1 - exp(-(a^2 + b^2)) of the colours a and b, minus
 * their `lowest` and multiplied by `scales`.
 */
void salient_places(
    const float *answers, const float *lab, const float *centre, const float *lowest,
    const float *scales, float *out, long count, long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long start = 0; start < count; start += BLOCK) {
        long stop = smaller(start + BLOCK, count);
#pragma omp simd
        for (long k = start; k < stop; k++) {
            float x = answers[k], y = answers[count + k], z = answers[2 * count + k];
            float a = (lab[count + k] - lowest[0]) * scales[0];
            float b = (lab[2 * count + k] - lowest[1]) * scales[1];
            float warmth = 1 - exponential(-(a * a + b * b));
            out[k] = sqrtf(x * x + y * y + z * z) * centre[k] * warmth;
        }
    }
}
