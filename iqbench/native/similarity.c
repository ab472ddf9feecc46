/* SSIM on valid positions, in one pass over both images.
 *
 * Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural
 * similarity, IEEE TIP 2004, doi:10.1109/TIP.2003.819861.
 *
 * Images are channels-last, (height, width, channels), in float32; all results are float64. A row is
 * filtered along its length when it is read, and kept until no window needs it.
 */

enum {
    LARGEST = 11,       /* rows and columns of the largest window */
    MOMENTS = 4,        /* two means, the sum of the mean squares, the mean product */
    LONG = 384,         /* values of a row that are filtered together and fit into the caches */
    ROWS = 64,          /* rows of positions that a thread computes together */
    CHANNELS = 4,       /* the largest number of channels */
};

typedef double Row[LONG + (LARGEST - 1) * CHANNELS];

typedef struct {
    const double *window;
    double scale, c1, c2, floor;
    long channels;
} Measure;

static inline long smaller(long a, long b) { return a < b ? a : b; }
static inline long columns_of(long channels) { return LONG / channels; }

/* The number of blocks of `similarity_sums` for a number of positions. */
long similarity_blocks(long down, long across, long channels, long threads)
{
    (void)threads;
    long columns = columns_of(channels);
    return ((down + ROWS - 1) / ROWS) * ((across + columns - 1) / columns);
}

/* Filters the moments of both images in a row, along its length. */
static inline __attribute__((always_inline)) void filter_row(
    const Measure *measure, const float *x, const float *y, long count, int size,
    double (*to)[LONG])
{
    Row first, second, squares, products;
    long step = measure->channels;
#pragma omp simd
    for (long k = 0; k < count + (size - 1) * step; k++) {
        first[k] = x[k];
        second[k] = y[k];
        squares[k] = first[k] * first[k] + second[k] * second[k];
        products[k] = first[k] * second[k];
    }
    const double *rows[MOMENTS] = {first, second, squares, products};
    for (int m = 0; m < MOMENTS; m++) {
        const double *row = rows[m];
        double *filtered = to[m];
#pragma omp simd
        for (long k = 0; k < count; k++) {
            double sum = 0;
#pragma GCC unroll 11
            for (int t = 0; t < size; t++)
                sum = __builtin_fma(measure->window[t], row[k + t * step], sum);
            filtered[k] = sum;
        }
    }
}

/* Adds the similarity at a position, and contrast times structure. */
static inline __attribute__((always_inline)) void add_place(
    const Measure *measure, double mean_x, double mean_y, double squares, double products,
    int parts, double *similarity, double *structure)
{
    double scale = measure->scale, c1 = measure->c1, c2 = measure->c2, floor = measure->floor;
    double both = mean_x * mean_y, energy = mean_x * mean_x + mean_y * mean_y;
    double upper = (products - both) * (2 * scale) + c2;
    double lower = (squares - energy) * scale + c2;
    upper = upper < floor ? floor : upper;  /* not fmax, which would hide NaN */
    if (parts) {
        double ratio = upper / lower;
        *structure += ratio;
        *similarity += (2 * both + c1) / (energy + c1) * ratio;
    } else
        *similarity += (2 * both + c1) * upper / ((energy + c1) * lower);
}

/* Filters two rows of positions down the columns, and adds each to sums, which may be the same:
 * what both read is loaded once. `second` is 0 where the last row stands alone. */
static inline __attribute__((always_inline)) void add_rows(
    const Measure *measure, double (*const *rows)[LONG], long count, int size, int second,
    int parts, double *similarity, double *next_similarity, double *structure)
{
#pragma omp simd
    for (long k = 0; k < count; k++) {
        double mean_x = 0, mean_y = 0, squares = 0, products = 0;
        double next_x = 0, next_y = 0, next_squares = 0, next_products = 0;
#pragma GCC unroll 12
        for (int t = 0; t < size + second; t++) {
            double x = rows[t][0][k], y = rows[t][1][k], s = rows[t][2][k], p = rows[t][3][k];
            if (t < size) {
                double weight = measure->window[t];
                mean_x = __builtin_fma(weight, x, mean_x);
                mean_y = __builtin_fma(weight, y, mean_y);
                squares = __builtin_fma(weight, s, squares);
                products = __builtin_fma(weight, p, products);
            }
            if (second && t > 0) {
                double weight = measure->window[t - 1];
                next_x = __builtin_fma(weight, x, next_x);
                next_y = __builtin_fma(weight, y, next_y);
                next_squares = __builtin_fma(weight, s, next_squares);
                next_products = __builtin_fma(weight, p, next_products);
            }
        }
        add_place(
            measure, mean_x, mean_y, squares, products, parts, similarity + k, structure + k);
        if (second)
            add_place(
                measure, next_x, next_y, next_squares, next_products, parts, next_similarity + k,
                structure + k);
    }
}

static void clear(double *row, long count)
{
    for (long k = 0; k < count; k++)
        row[k] = 0;
}

/* Sums the channels of a row of positions. */
static void sum_channels(const double *row, double *to, long count, long channels)
{
    for (long k = 0; k < count; k += channels) {
        double sum = 0;
        for (long c = 0; c < channels; c++)
            sum += row[k + c];
        to[k / channels] = sum;
    }
}

/* Sums some rows and columns of positions: (2, channels). Or writes the sum over the channels of
 * each position into `map`, whose rows have `across` places. */
static inline __attribute__((always_inline)) void sum_block(
    const Measure *measure, const float *x, const float *y, long row_size, long down, long count,
    int size, int parts, double *sums, double *map, long across)
{
    enum { KEPT = LARGEST + 1 };  /* the input rows of two rows of positions */
    double kept[KEPT][MOMENTS][LONG], found[2][LONG], below[LONG];
    double(*rows[KEPT])[LONG], *next = map ? below : found[0];
    clear(found[0], count);
    clear(found[1], count);
    for (long i = 0, filtered = 0; i < down; i += 2) {
        int second = i + 1 < down;
        for (; filtered < i + size + second; filtered++)
            filter_row(
                measure, x + filtered * row_size, y + filtered * row_size, count, size,
                kept[filtered % KEPT]);
        for (int t = 0; t < size + second; t++)
            rows[t] = kept[(i + t) % KEPT];
        if (map) {
            clear(found[0], count);
            clear(below, count);
        }
        if (second)
            add_rows(measure, rows, count, size, 1, parts, found[0], next, found[1]);
        else
            add_rows(measure, rows, count, size, 0, parts, found[0], next, found[1]);
        if (map)
            sum_channels(found[0], map + i * across, count, measure->channels);
        if (map && second)
            sum_channels(below, map + (i + 1) * across, count, measure->channels);
    }
    if (map)
        return;
    for (long n = 0; n < 2; n++)
        for (long channel = 0; channel < measure->channels; channel++) {
            double sum = 0;
            for (long k = channel; k < count; k += measure->channels)
                sum += found[n][k];
            sums[n * measure->channels + channel] = sum;
        }
}

/* Goes over all positions, for `sums` or for `map`; the other is null. */
static void visit(
    const float *reference, const float *output, const double *window, double *sums, double *map,
    long height, long width, long channels, long size, long parts, long threads)
{
    const double *constants = window + size;
    Measure measure = {window, constants[0], constants[1], constants[2], constants[3], channels};
    long down = height - size + 1, across = width - size + 1, columns = columns_of(channels);
    long wide = (across + columns - 1) / columns;
    long blocks = similarity_blocks(down, across, channels, threads);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (long b = 0; b < blocks; b++) {
        long top = b / wide * ROWS, left = b % wide * columns;
        long high = smaller(ROWS, down - top), count = smaller(columns, across - left) * channels;
        long start = (top * width + left) * channels, row_size = width * channels;
        const float *x = reference + start, *y = output + start;
        double *to = map ? map + top * across + left : sums + b * 2 * channels;
        /* Constants make a loop of their own, which is several times as fast. */
        if (map && size == 11)
            sum_block(&measure, x, y, row_size, high, count, 11, 0, 0, to, across);
        else if (map)
            sum_block(&measure, x, y, row_size, high, count, 7, 0, 0, to, across);
        else if (size == 11 && parts)
            sum_block(&measure, x, y, row_size, high, count, 11, 1, to, 0, 0);
        else if (size == 11)
            sum_block(&measure, x, y, row_size, high, count, 11, 0, to, 0, 0);
        else
            sum_block(&measure, x, y, row_size, high, count, 7, parts, to, 0, 0);
    }
}

/* Sums SSIM, and contrast times structure if it is wanted: `sums` is (blocks, 2, channels).
 *
 * `window` has the `size` weights, 7 or 11; then the moment correction, the two constants, and the
 * smallest contrast times structure: 0, or minus infinity.
 */
void similarity_sums(
    const float *reference, const float *output, const double *window, double *sums, long height,
    long width, long channels, long size, long parts, long threads)
{
    visit(reference, output, window, sums, 0, height, width, channels, size, parts, threads);
}

/* Writes SSIM at each position, summed over the channels; `window` as of `similarity_sums`. */
void similarity_map(
    const float *reference, const float *output, const double *window, double *map, long height,
    long width, long channels, long size, long threads)
{
    visit(reference, output, window, 0, map, height, width, channels, size, 0, threads);
}
