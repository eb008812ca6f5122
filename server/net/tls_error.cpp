#include "net/tls_error.h"

#include <openssl/err.h>

namespace epode {

std::string takeOpensslError() {
    // The first error is the cause, those behind it are the callers that passed it on.
    const auto code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "no cause given";
    if (const char* reason = ERR_reason_error_string(code)) return reason;
    char text[160];
    ERR_error_string_n(code, text, sizeof text);
    return text;
}

}  // namespace epode
