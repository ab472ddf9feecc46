/* Exponential and logarithm of float32, which compilers vectorise, with errors below 2e-7.
 *
 * The polynomials are those of Moshier's Cephes library (expf, logf).
 */

#ifndef IQBENCH_ELEMENTARY_H
#define IQBENCH_ELEMENTARY_H

typedef union {
    float value;
    int raw;
} FloatBits;

static inline __attribute__((always_inline)) float exponential(float x)
{
    x = 88.0f < x ? 88.0f : x;  /* NaN stays NaN */
    x = x < -87.0f ? -87.0f : x;
    float power = x * 1.44269504f + 12582912.0f - 12582912.0f;  /* rounds, as 3 * 2^22 has no fractional bits */
    x = x - power * 0.693359375f + power * 2.12194440e-4f;
    float sum = 1.9875691500e-4f;
    sum = sum * x + 1.3981999507e-3f;
    sum = sum * x + 8.3334519073e-3f;
    sum = sum * x + 4.1665795894e-2f;
    sum = sum * x + 1.6666665459e-1f;
    sum = sum * x + 5.0000001201e-1f;
    sum = sum * (x * x) + x + 1.0f;
    FloatBits factor = {.raw = (int)((unsigned)((int)power + 127) << 23)};
    return sum * factor.value;
}

/* For positive normal numbers; NaN stays NaN. */
static inline __attribute__((always_inline)) float logarithm(float x)
{
    FloatBits given = {.value = x};
    int power = (given.raw - 0x3f3504f3) >> 23;  /* the fraction is between sqrt(1/2) and sqrt(2) */
    FloatBits fraction = {.raw = given.raw - (int)((unsigned)power << 23)};
    float t = fraction.value - 1.0f, square = t * t, e = (float)power;
    float sum = 7.0376836292e-2f;
    sum = sum * t - 1.1514610310e-1f;
    sum = sum * t + 1.1676998740e-1f;
    sum = sum * t - 1.2420140846e-1f;
    sum = sum * t + 1.4249322787e-1f;
    sum = sum * t - 1.6668057665e-1f;
    sum = sum * t + 2.0000714765e-1f;
    sum = sum * t - 2.4999993993e-1f;
    sum = sum * t + 3.3333331174e-1f;
    sum = sum * t * square - e * 2.12194440e-4f - 0.5f * square;
    return t + sum + e * 0.693359375f + (x - x);
}

/* A power of a nonnegative number; 0 counts as the smallest normal number. */
static inline __attribute__((always_inline)) float power_of(float base, float exponent)
{
    return exponential(exponent * logarithm(base < 1.17549435e-38f ? 1.17549435e-38f : base));
}

#endif
