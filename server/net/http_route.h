// Routes of HTTP, declared beside the code that serves them:
//
//     context.route({.methods = {HttpMethod::Get}, .path = "/invite/*"}, this, &Invite::showPage);
#pragma once

#include "core/task.h"
#include "net/http_exchange.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// Whose pages may read the answers (CORS). Any: what is public, or proves by itself who asks. No
// credentials of the browser are ever asked for, so none can be misused.
enum class HttpOrigins : std::uint8_t { Same, Any };

struct HttpRoute {
    std::vector<HttpMethod> methods;  // what serves GET serves HEAD as well; OPTIONS needs nobody
    std::string path;                 // "/bosh"; ending with "/*": everything below it as well
    HttpOrigins origins = HttpOrigins::Same;
    std::uint64_t bodyBytesMax = 0;  // of a request; what is longer is refused with 413
    std::function<void(const HttpExchangePtr&)> handle{};
    std::string owner{};  // a plugin's name

    bool takes(HttpMethod method) const;
    bool matches(std::string_view asked) const;
};

// The route of a path among some: the exact one, else the one that says most of it; null for none.
// `hasPath` tells whether there is one with other methods.
const HttpRoute* findHttpRoute(const std::vector<HttpRoute>& routes, std::string_view path,
                               HttpMethod method, bool& hasPath);

// A handler that waits. What it throws is answered with 500.
std::function<void(const HttpExchangePtr&)> answering(
    std::function<Task<HttpResponse>(HttpExchangePtr)> handler);

}  // namespace epode
