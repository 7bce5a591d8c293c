/*
 * The test's way to the parser without the rest: each file named on the command line (or standard
 * input) becomes one line of JSON.
 */
#include <stdio.h>

#include "base/file.h"
#include "message/view_json.h"

#include "base/banned.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < (argc > 1 ? argc : 2); i++) {
        struct arena a = {0};
        slice message;
        const char *path = argc > 1 ? argv[i] : "/dev/stdin";
        if (file_read(&a, path, 1 << 30, &message) != 0) {
            perror(path);
            return 1;
        }
        slice json = view_json(&a, message);
        fwrite(json.p, 1, json.n, stdout);
        putchar('\n');
        arena_end(&a);
    }
    return 0;
}
