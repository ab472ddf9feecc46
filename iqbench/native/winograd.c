/* Winograd's F(4x4, 3x3): a tile of 4x4 outputs from 6x6 inputs in 36 products per pair of channels
 * instead of 144: Y = A' [(G g G') * (B' d B)] A, where * multiplies element by element and the sum over
 * channels becomes 36 matrix products.
 *
 * Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016,
 * doi:10.1109/CVPR.2016.435. The interpolation points are 0, 1, -1, 2, -2 and infinity, as there.
 *
 * Images are channels-last, (images, height, width, channels), in float32 or bfloat16; products and
 * transforms are float32. The result of a tile does not depend on other tiles, on the number of threads
 * or on the width of the vectors.
 */

#include <omp.h>
#include <stddef.h>

#include "vectors.h"

enum {
    TILE = 4,                       /* outputs along a side */
    SIDE = 6,                       /* inputs along a side */
    POINTS = SIDE * SIDE,
    PANEL = 2 * LANES,              /* adjacent outputs of a packed kernel */
    ROWS = LANES == 16 ? 14 : 6,    /* tiles whose sums fill the registers, with a panel */
    GROUP = 64,                     /* outputs transformed together: their products stay in L2 */
    OWN_TILES = 28,                 /* tiles of a block of one thread */
    SHARED_TILES = 84,              /* tiles of a block of all threads */
    SHARED_CHANNELS = 256,          /* channels from which threads share a block, as the kernel exceeds the caches */
};

typedef struct {
    const char *upper, *lower;      /* two pieces of rows, (images, height, width, channels) */
    long upper_height, lower_height;
    void *y;                        /* (images, high, wide, outputs) */
    const float *kernel, *bias;
    const void *zeros;              /* the padding */
    long width, channels, high, wide, outputs, above, beside, down, across;
    int half, rectify;              /* whether features are bfloat16; whether to set negative values to zero */
} Convolution;

/* B': the transform of six inputs. */
INLINE void transform_inputs(const floats d[SIDE], floats *to, long step)
{
    floats even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    floats far_even = d[4] - d[2], far_odd = 2 * (d[3] - d[1]);
    to[0] = 4 * (d[0] - d[2]) + far_even;
    to[step] = even + odd;
    to[2 * step] = even - odd;
    to[3 * step] = far_even + far_odd;
    to[4 * step] = far_even - far_odd;
    to[5 * step] = (d[5] - d[3]) - 2 * far_odd;
}

/* A': the transform of six products to four outputs. */
INLINE void transform_products(const floats m[SIDE], floats *to, long step)
{
    floats even = m[1] + m[2], odd = m[1] - m[2], far_even = m[3] + m[4], far_odd = m[3] - m[4];
    to[0] = m[0] + even + far_even;
    to[step] = odd + 2 * far_odd;
    to[2 * step] = even + 4 * far_even;
    to[3 * step] = odd + 8 * far_odd + m[5];
}

/* G: the transform of three weights. */
INLINE void transform_weights(const doubles g[3], doubles *to, long step)
{
    doubles near = -(g[0] + g[2]) / 6, far = (g[0] + 4 * g[2]) / 24;
    to[0] = g[0] / 4;
    to[step] = near - g[1] / 6;
    to[2 * step] = near + g[1] / 6;
    to[3 * step] = far + g[1] / 12;
    to[4 * step] = far - g[1] / 12;
    to[5 * step] = g[2];
}

/* The position of a tile: its image, and its first output. */
INLINE void place(const Convolution *c, long tile, long *image, long *top, long *left)
{
    *image = tile / (c->down * c->across);
    tile %= c->down * c->across;
    *top = tile / c->across * TILE;
    *left = tile % c->across * TILE;
}

/* The address of the features of a pixel; rows and columns are those of the image. */
INLINE const char *pixel(const Convolution *c, long image, long row, long column, int half)
{
    if (row < 0 || row >= c->upper_height + c->lower_height || column < 0 || column >= c->width)
        return c->zeros;
    const char *piece = c->upper;
    long height = c->upper_height;
    if (row >= height) {
        row -= height;
        piece = c->lower;
        height = c->lower_height;
    }
    return piece + ((image * height + row) * c->width + column) * c->channels * (half ? 2 : 4);
}

/* Transforms the inputs of tiles: (POINTS, tiles, channels), `step` floats from point to point. */
INLINE void take(const Convolution *c, long first, long count, float *seen, long step, int half)
{
    for (long t = 0; t < count; t++) {
        long image, top, left;
        place(c, first + t, &image, &top, &left);
        const char *from[SIDE][SIDE];
        for (long i = 0; i < SIDE; i++)
            for (long j = 0; j < SIDE; j++)
                from[i][j] = pixel(c, image, top - c->above + i, left - c->beside + j, half);
        for (long k = 0; k < c->channels; k += LANES) {
            floats columns[SIDE][SIDE];
            for (long j = 0; j < SIDE; j++) {
                floats d[SIDE];
                for (long i = 0; i < SIDE; i++)
                    d[i] = half ? load_half((const unsigned short *)from[i][j] + k)
                                : load((const float *)from[i][j] + k);
                transform_inputs(d, &columns[0][j], SIDE);
            }
            for (long i = 0; i < SIDE; i++) {
                floats both[SIDE];
                transform_inputs(columns[i], both, 1);
                for (long j = 0; j < SIDE; j++)
                    store(seen + (i * SIDE + j) * step + t * c->channels + k, both[j]);
            }
        }
    }
}

/* Multiplies `rows` tiles by a panel of the kernel, with sums in registers. */
INLINE void multiply_rows(
    int rows, const float *seen, const float *panel, float *products, long channels)
{
    floats sums[ROWS][2];
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = (floats){0};
    for (long k = 0; k < channels; k++, panel += PANEL) {
        floats left = load(panel), right = load(panel + LANES);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            sums[r][0] += seen[r * channels + k] * left;
            sums[r][1] += seen[r * channels + k] * right;
        }
    }
    for (int r = 0; r < rows; r++) {
        store(products + r * GROUP, sums[r][0]);
        store(products + r * GROUP + LANES, sums[r][1]);
    }
}

static void multiply(int rows, const float *seen, const float *panel, float *products, long channels)
{
    switch (rows) {
#define CASE(n) case n: multiply_rows(n, seen, panel, products, channels); break
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
#if LANES == 16
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
        CASE(13);
        CASE(14);
#endif
    }
}

/* Computes the products of tiles for a group of outputs: (POINTS, tiles, GROUP). */
static void form_products(
    const Convolution *c, long count, long group, const float *seen, long step,
    float *products, long products_step)
{
    for (long point = 0; point < POINTS; point++)
        for (long n = 0; n < GROUP; n += PANEL) {
            long panel = ((group + n) / PANEL * POINTS + point) * c->channels * PANEL;
            for (long t = 0; t < count; t += ROWS)
                multiply(
                    count - t < ROWS ? count - t : ROWS,
                    seen + point * step + t * c->channels,
                    c->kernel + panel,
                    products + point * products_step + t * GROUP + n,
                    c->channels);
        }
}

/* Transforms the products of tiles for a group of outputs, and writes the outputs inside the image. */
INLINE void give(
    const Convolution *c, long first, long count, long group, const float *products, long step,
    int half)
{
    for (long t = 0; t < count; t++) {
        long image, top, left;
        place(c, first + t, &image, &top, &left);
        for (long k = 0; k < GROUP; k += LANES) {
            floats columns[TILE][SIDE];
            for (long j = 0; j < SIDE; j++) {
                floats m[SIDE];
                for (long i = 0; i < SIDE; i++)
                    m[i] = load(products + (i * SIDE + j) * step + t * GROUP + k);
                transform_products(m, &columns[0][j], SIDE);
            }
            floats bias = load(c->bias + group + k);
            for (long i = 0; i < TILE && top + i < c->high; i++) {
                floats both[TILE];
                transform_products(columns[i], both, 1);
                for (long j = 0; j < TILE && left + j < c->wide; j++) {
                    long position = (image * c->high + top + i) * c->wide + left + j;
                    long at = position * c->outputs + group + k;
                    floats value = both[j] + bias;
                    if (c->rectify)
                        value = rectified(value);
                    if (half)
                        store_half((unsigned short *)c->y + at, value);
                    else
                        store((float *)c->y + at, value);
                }
            }
        }
    }
}

static void take_any(const Convolution *c, long first, long count, float *seen, long step)
{
    if (c->half)
        take(c, first, count, seen, step, 1);
    else
        take(c, first, count, seen, step, 0);
}

/* Computes a group of outputs of tiles with transformed inputs. */
static void finish(
    const Convolution *c, long first, long count, long group, const float *seen, long step,
    float *products, long products_step)
{
    form_products(c, count, group, seen, step, products, products_step);
    if (c->half)
        give(c, first, count, group, products, products_step, 1);
    else
        give(c, first, count, group, products, products_step, 0);
}

/* The distance between points in floats. It has one more cache line, so that the points of a tile are
 * in different sets of a cache. */
static long point_step(long tiles, long channels) { return tiles * channels + 16; }

/* The size in floats of the work buffer of `winograd_convolve`. */
long winograd_room(long channels, long threads)
{
    long shared = point_step(SHARED_TILES, channels) + threads * point_step(SHARED_TILES, GROUP);
    long own = threads * (point_step(OWN_TILES, channels) + point_step(OWN_TILES, GROUP));
    return POINTS * (channels >= SHARED_CHANNELS || shared > own ? shared : own);
}

/* Each thread computes its own blocks, which fit into its caches. */
static void convolve_own(const Convolution *c, long tiles, long blocks, float *room, int threads)
{
    long step = point_step(OWN_TILES, c->channels), products_step = point_step(OWN_TILES, GROUP);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (long b = 0; b < blocks; b++) {
        long first = b * tiles / blocks, count = (b + 1) * tiles / blocks - first;
        float *seen = room + omp_get_thread_num() * POINTS * (step + products_step);
        float *products = seen + POINTS * step;
        take_any(c, first, count, seen, step);
        for (long group = 0; group < c->outputs; group += GROUP)
            finish(c, first, count, group, seen, step, products, products_step);
    }
}

/* All threads compute one block: each computes some of the outputs, and reads only their kernel. */
static void convolve_shared(const Convolution *c, long tiles, float *room, int threads)
{
    long step = point_step(SHARED_TILES, c->channels);
    long products_step = point_step(SHARED_TILES, GROUP);
    long blocks = (tiles + SHARED_TILES - 1) / SHARED_TILES, groups = c->outputs / GROUP;
#pragma omp parallel num_threads(threads)
    for (long b = 0; b < blocks; b++) {
        long first = b * tiles / blocks, count = (b + 1) * tiles / blocks - first;
        long parts = groups >= 2 * threads ? 1 : (count + ROWS - 1) / ROWS;
        float *products = room + POINTS * (step + omp_get_thread_num() * products_step);
#pragma omp for schedule(dynamic)
        for (long t = 0; t < count; t++)
            take_any(c, first + t, 1, room + t * c->channels, step);
#pragma omp for schedule(dynamic)
        for (long n = 0; n < groups * parts; n++) {
            long from = n % parts * count / parts, to = (n % parts + 1) * count / parts;
            finish(
                c, first + from, to - from, n / parts * GROUP, room + from * c->channels, step,
                products, products_step);
        }
    }
}

/* Convolves with stride 1. The caller makes sure that channels is a multiple of LANES and outputs one of
 * GROUP, that `kernel` is from `winograd_pack`, and that `zeros` has as many values as channels. */
void winograd_convolve(
    const void *upper, const void *lower, long upper_height, long lower_height,
    void *y, const float *kernel, const float *bias, const void *zeros, float *room,
    long images, long width, long channels, long outputs, long above, long below, long beside,
    long half, long rectify, long threads)
{
    Convolution c = {
        .upper = upper, .lower = lower,
        .upper_height = upper_height, .lower_height = lower_height,
        .y = y, .kernel = kernel, .bias = bias, .zeros = zeros,
        .width = width, .channels = channels,
        .high = above + upper_height + lower_height + below - 2, .wide = width + 2 * beside - 2,
        .outputs = outputs, .above = above, .beside = beside, .half = half, .rectify = rectify,
    };
    c.down = (c.high + TILE - 1) / TILE;
    c.across = (c.wide + TILE - 1) / TILE;
    long tiles = images * c.down * c.across, blocks = (tiles + OWN_TILES - 1) / OWN_TILES;
    if (channels >= SHARED_CHANNELS || blocks < threads)
        convolve_shared(&c, tiles, room, threads);
    else
        convolve_own(&c, tiles, (blocks + threads - 1) / threads * threads, room, threads);
}

/* Transforms a kernel, (outputs, channels, 3, 3), in float64, rounds it once, and stores it in the order
 * of reading: (outputs / PANEL, POINTS, channels, PANEL). */
void winograd_pack(const float *weight, float *kernel, long outputs, long channels, long threads)
{
    enum { WIDE = LANES / 2 };      /* outputs transformed together */
#pragma omp parallel for num_threads(threads)
    for (long o = 0; o < outputs; o += WIDE)
        for (long k = 0; k < channels; k++) {
            doubles g[3][3], columns[SIDE][3], both[SIDE];
            for (long n = 0; n < WIDE; n++)
                for (long j = 0; j < 9; j++)
                    g[j % 3][j / 3][n] = weight[((o + n) * channels + k) * 9 + j];
            for (long j = 0; j < 3; j++)
                transform_weights(g[j], &columns[0][j], 3);
            for (long i = 0; i < SIDE; i++) {
                transform_weights(columns[i], both, 1);
                for (long j = 0; j < SIDE; j++) {
                    long point = o / PANEL * POINTS + i * SIDE + j;
                    float *to = kernel + (point * channels + k) * PANEL + o % PANEL;
                    *(narrowed *)to = __builtin_convertvector(both[j], narrowed);
                }
            }
        }
}
