/* Functions nobody here calls: each has made a hole somewhere.  Include after the system headers.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok strtok_r atoi atol gets
#undef alloca
#pragma GCC poison alloca gmtime localtime ctime asctime

#endif
