// What may be uploaded, and how long it is kept: the options of one host.
#pragma once

#include "picture_work.h"
#include "purpose.h"

#include "core/option.h"

#include <optional>
#include <string>
#include <vector>

namespace epode {
class PluginContext;
}

namespace epode::upload {

extern const Option<std::string> domainOption;
extern const Option<std::string> folderOption;
extern const Option<std::int64_t> threadsOption;
extern const Option<Bytes> hostBytesOption;

std::vector<OptionRef> uploadOptions();

// For one purpose.
struct PurposeLimits {
    std::uint64_t fileBytesMax = 0;  // 0: not offered
    std::uint64_t accountBytesMax = 0;
    Duration keptFor{};  // 0: until it is deleted
};

struct Limits {
    Limits(const Settings& settings, const std::string& host);

    const PurposeLimits& of(Purpose purpose) const;
    // What is done with pictures of a purpose.
    PictureWish picturesOf(Purpose purpose) const;
    bool offers(Purpose purpose) const { return of(purpose).fileBytesMax > 0; }
    std::uint64_t largest() const;

    PurposeLimits message;
    PurposeLimits profile;
    PurposeLimits permanent;
    std::uint64_t hostBytesMax;
    std::uint64_t freeBytesMin;
    std::int64_t openSlotsMax;
    Duration slotLifetime;
    Duration uploadMax;
    std::vector<std::string> guests;
    PictureWish pictures;               // for those whose metadata stays
    std::vector<std::string> stripped;  // purposes whose pictures lose their metadata
    std::string publicUrl;              // without a slash at its end; "" when nobody could reach it
};

}  // namespace epode::upload
