#include "net/http_route.h"

#include "core/log.h"

#include <algorithm>

namespace epode {

namespace {

const Log httpLog{"http"};

Task<HttpResponse> askHandler(const std::function<Task<HttpResponse>(HttpExchangePtr)>& handler,
                              HttpExchangePtr exchange) {
    auto response = co_await handler(exchange);
    co_return response;
}

}  // namespace

bool HttpRoute::takes(HttpMethod method) const {
    const HttpMethod asked = method == HttpMethod::Head ? HttpMethod::Get : method;
    return std::find(methods.begin(), methods.end(), asked) != methods.end();
}

bool HttpRoute::matches(std::string_view asked) const {
    if (!path.ends_with("/*")) return asked == path;
    return asked.starts_with(std::string_view{path}.substr(0, path.size() - 1));
}

const HttpRoute* findHttpRoute(const std::vector<HttpRoute>& routes, std::string_view path,
                               HttpMethod method, bool& hasPath) {
    const HttpRoute* best = nullptr;
    for (const auto& route : routes) {
        if (!route.matches(path)) continue;
        hasPath = true;
        if (method != HttpMethod::Options && !route.takes(method)) continue;
        const bool isExact = !route.path.ends_with("/*");
        if (!best || isExact ||
            (best->path.ends_with("/*") && route.path.size() > best->path.size()))
            best = &route;
        if (isExact) break;
    }
    return best;
}

std::function<void(const HttpExchangePtr&)> answering(
    std::function<Task<HttpResponse>(HttpExchangePtr)> handler) {
    const auto shared = std::make_shared<const std::function<Task<HttpResponse>(HttpExchangePtr)>>(
        std::move(handler));
    return [shared](const HttpExchangePtr& exchange) {
        start(askHandler(*shared, exchange),
              [exchange, shared](std::optional<HttpResponse> response, std::exception_ptr failure) {
                  if (!failure) {
                      exchange->answer(std::move(*response));
                      return;
                  }
                  try {
                      std::rethrow_exception(failure);
                  } catch (const std::exception& problem) {
                      httpLog.error("a request failed", {{"failure", problem.what()}});
                  }
                  exchange->answer(HttpResponse::error(500));
              });
    };
}

}  // namespace epode
