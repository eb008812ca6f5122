// Files in a bucket of S3, or of what speaks like it.
#pragma once

#include "s3_client.h"
#include "storage.h"

#include "core/option.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace epode {
class WorkerPool;
}

namespace epode::upload {

std::vector<OptionRef> s3Options();

// Nothing when files lie in a folder, or when what is configured is no place (which is logged).
std::optional<S3Place> readS3Place(const Settings& settings);

// Files go there in one piece, or in parts when they are larger than one. What comes in passes a
// file of this machine, of a part's size at most, so that a slow client keeps nobody waiting there.
std::unique_ptr<FileStorage> makeS3Storage(S3Place place, std::function<WorkerPool&()> workers);

}  // namespace epode::upload
