/* What jansson does not say about slices: texts of strangers in and out of JSON. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "base/slice.h"

/* Once, before any other use: jansson takes its memory from mem_alloc, which never returns NULL. */
void json_begin(void);

/* A string; bytes that are not UTF-8 become U+FFFD. */
json_t *json_slice(slice s);
/* The string under key, "" when there is none; borrowed from the object. */
slice json_slice_at(const json_t *object, const char *key);
bool json_flag_at(const json_t *object, const char *key);
/* The integer under key, or otherwise. */
int64_t json_number_at(const json_t *object, const char *key, int64_t otherwise);

/* Prints it and a line feed on standard output, indented by two. */
void json_print(const json_t *value);

#endif
