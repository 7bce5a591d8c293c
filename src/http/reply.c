/* Status lines and the fields every answer has. */
#include "http/reply.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/banned.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

void http_date(int64_t at_ms, char out[30])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t t = (time_t)(at_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    unsigned day = (unsigned)tm.tm_mday % 100, year = (unsigned)(tm.tm_year + 1900) % 10000;
    unsigned hour = (unsigned)tm.tm_hour % 100, minute = (unsigned)tm.tm_min % 100;
    snprintf(out, 30, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * tm.tm_wday, day,
             months + 3 * tm.tm_mon, year, hour, minute, (unsigned)tm.tm_sec % 100);
}

void http_head_print(struct buf *out, int status, const char *type, size_t length, slice fields,
                     bool close)
{
    char date[30];
    http_date(clock_ms(), date);
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status), date);
    if (status != 204 && status != 304)
        buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, length);
    buf_add(out, fields);
    buf_printf(out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s\r\n",
               close ? "Connection: close\r\n" : "");
}
