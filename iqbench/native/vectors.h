/* Vectors with the size of a register, so that operators become single instructions. */

#ifndef IQBENCH_VECTORS_H
#define IQBENCH_VECTORS_H

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif

typedef float floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int ints __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef unsigned bits __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(4 * LANES)));
typedef float narrowed __attribute__((vector_size(2 * LANES), aligned(4), may_alias));
typedef unsigned short halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE floats load(const float *from) { return *(const floats *)from; }
INLINE void store(float *to, floats value) { *(floats *)to = value; }

/* bfloat16 is the upper half of float32. */
INLINE floats load_half(const unsigned short *from)
{
    return (floats)(__builtin_convertvector(*(const halves *)from, bits) << 16);
}

/* Rounds to the nearest, ties to even; NaN stays NaN. */
INLINE void store_half(unsigned short *to, floats value)
{
    bits raw = (bits)value, odd = raw >> 16 & 1;
    bits strange = (bits)(value != value);
    bits rounded = (raw + 0x7fff + odd) >> 16;
    *(halves *)to = __builtin_convertvector((rounded & ~strange) | (0x7fc0 & strange), halves);
}

/* Sets negative values to zero; NaN stays NaN. */
INLINE floats rectified(floats value)
{
    return (floats)((ints)value & ~(ints)(value < 0));
}

#endif
