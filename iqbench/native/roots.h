/* Cube and fifth roots of nonnegative numbers, within two units in the last place.
 *
 * The bits of a float are approximately its logarithm. Their division gives a first guess with an error
 * of a few per cent. Each step then squares (Newton) or cubes (Halley) the error.
 */

#ifndef IQBENCH_ROOTS_H
#define IQBENCH_ROOTS_H

#include <string.h>

#include "vectors.h"

INLINE float guessed_root(float value, float part, int bits)
{
    int raw;
    memcpy(&raw, &value, sizeof raw);
    raw = (int)((float)raw * part) + bits;
    memcpy(&value, &raw, sizeof raw);
    return value;
}

INLINE float nearer_cube_root(float root, float value)
{
    float cube = root * root * root;
    return root + root * (value - cube) / (2 * cube + value);
}

/* The result for 0 is about 1e-13. */
INLINE float cube_root(float value)
{
    float root = guessed_root(value, 1.0f / 3, 0x2a514067);
    return nearer_cube_root(nearer_cube_root(root, value), value);
}

INLINE float nearer_fifth_root(float root, float value)
{
    float square = root * root;
    return root + 0.2f * (value / (square * square) - root);
}

/* Not for 0. */
INLINE float fifth_root(float value)
{
    float root = guessed_root(value, 0.2f, 0x32c82fd3);
    root = nearer_fifth_root(nearer_fifth_root(root, value), value);
    return nearer_fifth_root(root, value);
}

#endif
