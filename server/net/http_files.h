// Files of a folder, served over HTTP: with entity tags, ranges, and the compressed copy (name.gz)
// that lies beside a file when the client takes it.
#pragma once

#include "net/http_exchange.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class WorkerPool;

struct HttpFile {
    std::string path;
    std::string contentType;
    std::string cacheControl = "no-cache";  // asked for again each time, and answered with 304
    // What else the answer says, such as a Content-Security-Policy.
    std::vector<HttpField> fields{};
    bool mayBeCompressed = true;
    // With its quotes; without one, size and time of the file make it.
    std::string entityTag{};
    // For what is not in memory, so that the loop doesn't wait for the disk. Outlives the answer.
    WorkerPool* readers = nullptr;
};

// Answers GET and HEAD with the file, piece by piece as the client takes it; 404 when it is not a
// regular file that can be read.
void serveHttpFile(const HttpExchangePtr& exchange, const HttpFile& file);

// A file below `root` by a path of a request. Nothing for parts that begin with a dot, for folders
// and for links, so that nothing outside is found.
std::string findHttpFile(std::string_view root, std::string_view path);

// By the ending of a name; "application/octet-stream" for others.
std::string_view contentTypeOf(std::string_view name);

}  // namespace epode
