/*
 * What charset_detect.c knows of languages: for each byte or two-byte code of a charset a cost,
 * 8 * -ln(probability) in that language.  charset_models.c is made by charset_models.py.
 */
#ifndef MESSAGE_CHARSET_MODELS_H
#define MESSAGE_CHARSET_MODELS_H

#include "base/slice.h"

enum { MODEL_SCALE = 8 };

struct single_model {
    const char *charset, *language;
    uint8_t cost[128];   /* of the bytes 0x80-0xff */
    int8_t letter[26];   /* of a-z in words with high bytes, against the mean of all languages */
    int8_t ends, inside; /* of a high letter that ends its word, or does not; against the mean */
};

struct code_cost {
    uint16_t code;
    uint8_t cost;
};

struct double_model {
    const char *charset;
    const struct code_cost *codes; /* the frequent ones, in ascending order */
    size_t count;
};

extern const struct single_model single_models[];
extern const size_t single_model_count;
extern const struct double_model double_models[];
extern const size_t double_model_count;

#endif
