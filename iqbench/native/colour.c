/* Conversion of colours: luma, linear light, CIELAB, JPEG XL's XYB. */

#include <math.h>

#include "roots.h"

enum { CHANNELS = 3, BLOCK = 256 };

/* Sums weighted red, green and blue (interleaved) in float64, in the order of the Python code.
 *
 * `constants` has the three weights, a factor, a summand and a divisor.
 */
void luma_plane(
    const float *image, float *plane, const double *constants, long height, long width,
    long rounded, long threads)
{
    double factor = constants[3], summand = constants[4], divisor = constants[5];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long start = 0; start < height * width; start += BLOCK) {
        double red[BLOCK], green[BLOCK], blue[BLOCK];
        long left = height * width - start, count = left < BLOCK ? left : BLOCK;
        for (long k = 0; k < count; k++) {
            const float *pixel = image + CHANNELS * (start + k);
            red[k] = pixel[0];
            green[k] = pixel[1];
            blue[k] = pixel[2];
        }
#pragma omp simd
        for (long k = 0; k < count; k++) {
            double sum = red[k] * constants[0] + green[k] * constants[1] + blue[k] * constants[2];
            red[k] = sum * factor + summand;
        }
        if (rounded)
            for (long k = 0; k < count; k++)
                red[k] = floor(red[k] + 0.5);
#pragma omp simd
        for (long k = 0; k < count; k++)
            plane[start + k] = red[k] / divisor;
    }
}

/* Converts sRGB values to linear light: x^2.4 is x^2 times the fifth root of x^2. */
void linear_light(const float *values, float *linear, long count, long threads)
{
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (long k = 0; k < count; k++) {
        float value = values[k];
        float base = ((value > 0.04045f ? value : 0.04045f) + 0.055f) / 1.055f;
        float square = base * base, power = square * fifth_root(square);
        linear[k] = value > 0.04045f ? power : value / 12.92f;
    }
}

/* CIE's function of lightness: the cube root, and a linear part near black. */
INLINE float lightness(float value, float slope)
{
    float root = cube_root(value > 0 ? value : 0), straight = slope * value + 16.0f / 116;
    return value > 0.008856f ? root : straight;
}

/* Converts three planes of linear light to L, a and b of CIELAB.
 *
 * `constants` has nine weights of linear light that give X, Y and Z relative to white, and the slope
 * of the linear part.
 */
void lab_planes(
    const float *linear, float *lab, const float *constants, long count, long threads)
{
    const float *red = linear, *green = red + count, *blue = green + count;
    float *light = lab, *a = light + count, *b = a + count;
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (long k = 0; k < count; k++) {
        float x = constants[0] * red[k] + constants[1] * green[k] + constants[2] * blue[k];
        float y = constants[3] * red[k] + constants[4] * green[k] + constants[5] * blue[k];
        float z = constants[6] * red[k] + constants[7] * green[k] + constants[8] * blue[k];
        x = lightness(x, constants[9]);
        y = lightness(y, constants[9]);
        z = lightness(z, constants[9]);
        light[k] = 116 * y - 16;
        a[k] = 500 * (x - y);
        b[k] = 200 * (y - z);
    }
}

/* The cube root of the weighted linear light for one kind of cones; negative light counts as 0. */
INLINE float cone(
    const float *weights, float red, float green, float blue, float bias)
{
    float sum = weights[0] * red + weights[1] * green + weights[2] * blue + bias;
    return cube_root(sum < 0 ? 0 : sum);
}

/* Converts three planes of linear light to X, Y and B - Y; each row has `border` zeros on each side.
 *
 * `constants` has nine weights of linear light, the bias, and its cube root.
 */
void xyb_planes(
    const float *linear, float *planes, const float *constants, long height, long width,
    long border, long threads)
{
    long row_size = width + 2 * border, size = height * row_size;
    float bias = constants[9], root = constants[10];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (long i = 0; i < height; i++) {
        const float *red = linear + i * width, *green = red + height * width,
                    *blue = green + height * width;
        float *x = planes + i * row_size, *y = x + size, *b = y + size;
        for (long k = 0; k < border; k++) {
            x[k] = y[k] = b[k] = 0;
            x[border + width + k] = y[border + width + k] = b[border + width + k] = 0;
        }
#pragma omp simd
        for (long k = 0; k < width; k++) {
            float l = cone(constants, red[k], green[k], blue[k], bias) - root;
            float m = cone(constants + 3, red[k], green[k], blue[k], bias) - root;
            float s = cone(constants + 6, red[k], green[k], blue[k], bias) - root;
            float luma = (l + m) / 2;
            x[border + k] = 14 * (l - m) / 2 + 0.42f;
            y[border + k] = luma + 0.01f;
            b[border + k] = s - luma + 0.55f;
        }
    }
}
