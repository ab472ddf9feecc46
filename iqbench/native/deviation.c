/* The deviation of similarities of gradients and colours over an image, for GMSD and MDSI.
 *
 * Zhang, Sun, Wang et al., Gradient magnitude similarity deviation on multiple scales, ICASSP 2017,
 * doi:10.1109/ICASSP.2017.7952357; Nafchi et al., Mean deviation similarity index, IEEE Access 2016,
 * doi:10.1109/ACCESS.2016.2604042.
 */

#include <math.h>

enum { BLOCK = 4096 };  /* positions that are computed together */

#define INLINE static inline __attribute__((always_inline))

static inline long smaller(long a, long b) { return a < b ? a : b; }

INLINE float unlike(float x, float y, float constant, float masking)
{
    float apart = x - y;
    return apart * apart / (constant + x * x + y * y - masking * (x * y));
}

INLINE float similar(float x, float y, float constant) { return 1 - unlike(x, y, constant, 0); }

/* The number of blocks of the sums for a number of positions. */
long deviation_blocks(long count, long threads)
{
    (void)threads;
    return (count + BLOCK - 1) / BLOCK;
}

/* Sums one minus the similarity of slopes, and its square: (blocks, 2). `constants`: that of the
 * similarity, and the masking. */
void unlike_sums(
    const float *first, const float *second, const float *constants, double *sums, long count,
    long threads)
{
    const float constant = constants[0], masking = constants[1];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long block = 0; block < deviation_blocks(count, threads); block++) {
        double sum = 0, squares = 0;
        const float *x = first + block * BLOCK, *y = second + block * BLOCK;
        long size = smaller(BLOCK, count - block * BLOCK);
#pragma omp simd reduction(+ : sum, squares)
        for (long k = 0; k < size; k++) {
            double found = unlike(x[k], y[k], constant, masking);
            sum += found;
            squares += found * found;
        }
        sums[2 * block] = sum;
        sums[2 * block + 1] = squares;
    }
}

/* Computes the fourth root of MDSI's similarity at each position, and sums its real and imaginary
 * parts: (blocks, 2). The root of a negative number, which is on the diagonal of the complex plane,
 * is stored as its negated length.
 *
 * `first` and `second` are (3, count): luma, which is not used, and two colours. `slopes` and `other`
 * belong to these images, `fused` to their mean. `constants`: for slopes, for slopes and those of the
 * mean, for colours; the weight of slopes.
 */
void joint_roots(
    const float *first, const float *second, const float *slopes, const float *other,
    const float *fused, const float *constants, float *roots, double *sums, long count,
    long threads)
{
    const float c1 = constants[0], c2 = constants[1], c3 = constants[2], weight = constants[3];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long block = 0; block < deviation_blocks(count, threads); block++) {
        double real = 0, imaginary = 0;
        long start = block * BLOCK, stop = smaller(start + BLOCK, count);
#pragma omp simd reduction(+ : real, imaginary)
        for (long k = start; k < stop; k++) {
            float h = first[count + k], m = first[2 * count + k];
            float i = second[count + k], n = second[2 * count + k];
            float by_slope = similar(slopes[k], other[k], c1) + similar(other[k], fused[k], c2)
                - similar(slopes[k], fused[k], c2);
            float products = h * i + m * n, squares = h * h + i * i + (m * m + n * n);
            float alike = weight * by_slope + (1 - weight) * (2 * products + c3) / (squares + c3);
            float root = sqrtf(sqrtf(fabsf(alike))), part = root * 0.70710678f;
            roots[k] = alike < 0 ? -root : root;
            real += alike < 0 ? part : root;
            imaginary += alike < 0 ? part : 0.0f;
        }
        sums[2 * block] = real;
        sums[2 * block + 1] = imaginary;
    }
}

/* Sums the distances of roots, from `joint_roots`, to their mean: (blocks,). */
void root_distances(
    const float *roots, const float *mean, double *sums, long count, long threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long block = 0; block < deviation_blocks(count, threads); block++) {
        double sum = 0;
        long start = block * BLOCK, stop = smaller(start + BLOCK, count);
#pragma omp simd reduction(+ : sum)
        for (long k = start; k < stop; k++) {
            float part = fabsf(roots[k]) * 0.70710678f;
            float real = (roots[k] < 0 ? part : roots[k]) - mean[0];
            float imaginary = (roots[k] < 0 ? part : 0.0f) - mean[1];
            sum += sqrtf(real * real + imaginary * imaginary);
        }
        sums[block] = sum;
    }
}
