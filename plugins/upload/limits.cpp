#include "limits.h"

#include "s3_storage.h"

#include "net/http_address.h"

#include <algorithm>

namespace epode::upload {

const Option<std::string> domainOption{
    .key = "upload.domain",
    .fallback = "upload.{host}",
    .help = "The address of the service for uploads; {host} is the host's name. Empty for none.",
};
const Option<std::string> folderOption{
    .key = "upload.folder",
    .fallback = "",
    .help = "Where uploaded files are kept. Empty: \"uploads\" in the data folder.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::int64_t> threadsOption{
    .key = "upload.threads",
    .fallback = 2,
    .range = {0, 64},
    .help =
        "How many threads write to and read from the disk, made when they are first needed. 0: "
        "those that salt passwords do it.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<Bytes> hostBytesOption{
    .key = "upload.host_bytes_max",
    .fallback = 20_GiB,
    .range = {1_MiB, Bytes{1ull << 60}},
    .help = "What all files of a host may take together.",
};

namespace {

constexpr Bytes most{1ull << 50};
constexpr Duration never{};
constexpr Duration century = std::chrono::hours{24 * 36525};

const Option<std::string> publicUrl{
    .key = "upload.public_url",
    .fallback = "",
    .help =
        "Where files are put and fetched, such as \"https://files.example.org\". Empty: at "
        "http.public_url.",
};
const Option<Bytes> fileBytesMax{
    .key = "upload.file_bytes_max",
    .fallback = 100_MiB,
    .range = {1_KiB, most},
    .help = "The largest file.",
};
const Option<Bytes> accountBytesMax{
    .key = "upload.account_bytes_max",
    .fallback = 1_GiB,
    .range = {1_KiB, most},
    .help = "What the files of one account that were sent in messages may take together.",
};
const Option<Duration> keptFor{
    .key = "upload.expire_after",
    .fallback = std::chrono::hours{24 * 30},
    .range = {never, century},
    .help = "How long files that were sent in messages are kept; 0 s: until they are deleted.",
};
const Option<Bytes> profileFileBytesMax{
    .key = "upload.profile_file_bytes_max",
    .fallback = 2_MiB,
    .range = {0_B, most},
    .help = "The largest file of a profile (a picture of a person); 0: none.",
};
const Option<Bytes> profileBytesMax{
    .key = "upload.profile_bytes_max",
    .fallback = 16_MiB,
    .range = {0_B, most},
    .help = "What the files of one account's profile may take together.",
};
const Option<Duration> profileKeptFor{
    .key = "upload.profile_expire_after",
    .fallback = never,
    .range = {never, century},
    .help = "How long files of profiles are kept; 0 s: until they are deleted.",
};
const Option<Bytes> permanentBytesMax{
    .key = "upload.permanent_bytes_max",
    .fallback = 64_MiB,
    .range = {0_B, most},
    .help =
        "What the files of one account that are to stay (of a blog, say) may take together; 0: "
        "none.",
};
const Option<Bytes> freeBytesMin{
    .key = "upload.free_bytes_min",
    .fallback = 256_MiB,
    .range = {0_B, most},
    .help = "What uploads leave free on their disk, for the database and everything else.",
};
const Option<std::int64_t> openSlotsMax{
    .key = "upload.open_slots_max",
    .fallback = 20,
    .range = {1, 10000},
    .help = "How many uploads an account may have announced and not completed.",
};
const Option<Duration> slotLifetime{
    .key = "upload.slot_lifetime",
    .fallback = std::chrono::minutes{5},
    .range = {std::chrono::seconds{10}, std::chrono::hours{24}},
    .help = "How long after its announcement an upload may begin.",
};
const Option<Duration> uploadMax{
    .key = "upload.duration_max",
    .fallback = std::chrono::hours{6},
    .range = {std::chrono::minutes{1}, std::chrono::hours{24 * 7}},
    .help = "How long an upload may take.",
};
const Option<std::vector<std::string>> guests{
    .key = "upload.guests",
    .fallback = {},
    .help =
        "Further domains whose users may upload files here, such as a gateway's. The domain itself "
        "counts as one user.",
};

const Option<std::string> imageProgram{
    .key = "upload.image_program",
    .fallback = "",
    .help =
        "The program that looks at pictures. Empty: the one that was installed with the server.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> strippedOption{
    .key = "upload.remove_image_metadata",
    .fallback = {},
    .choices = {"message", "profile", "ephemeral", "permanent"},
    .help =
        "For which purposes pictures (JPEG, PNG, WebP, GIF) lose what they say of place, time and "
        "device. Their size and checksum change by it; files that are encrypted aren't touched.",
};
const Option<bool> thumbnailsOption{
    .key = "upload.thumbnails",
    .fallback = false,
    .help =
        "Whether pictures (JPEG, PNG, WebP) get a small one beside them, which the answer to the "
        "upload names (XEP-0264). Its build needs libjpeg, libpng and libwebp.",
};
const Option<std::int64_t> thumbnailSide{
    .key = "upload.thumbnail_side",
    .fallback = 320,
    .range = {16, 2048},
    .help = "The longer side of small pictures, in pixels.",
};
const Option<Bytes> imageBytesMax{
    .key = "upload.image_bytes_max",
    .fallback = 20_MiB,
    .range = {1_KiB, 1_GiB},
    .help = "Larger pictures are kept as they come.",
};
const Option<std::int64_t> imagePixelsMax{
    .key = "upload.image_pixels_max",
    .fallback = 50'000'000,
    .range = {1'000, 1'000'000'000},
    .help = "Of a picture with more pixels there is no small one.",
};
const Option<Bytes> imageMemoryMax{
    .key = "upload.image_memory_max",
    .fallback = 512_MiB,
    .range = {32_MiB, 16_GiB},
    .help = "How much memory the process has that looks at a picture.",
};
const Option<Duration> imageTimeout{
    .key = "upload.image_timeout",
    .fallback = std::chrono::seconds{10},
    .range = {std::chrono::seconds{1}, std::chrono::minutes{5}},
    .help = "How long that process may take.",
};

}  // namespace

std::vector<OptionRef> uploadOptions() {
    std::vector<OptionRef> all{
        &domainOption,    &folderOption,    &threadsOption,     &publicUrl,
        &fileBytesMax,    &accountBytesMax, &keptFor,           &profileFileBytesMax,
        &profileBytesMax, &profileKeptFor,  &permanentBytesMax, &hostBytesOption,
        &freeBytesMin,    &openSlotsMax,    &slotLifetime,      &uploadMax,
        &guests,          &strippedOption,  &thumbnailsOption,  &thumbnailSide,
        &imageBytesMax,   &imagePixelsMax,  &imageMemoryMax,    &imageTimeout,
        &imageProgram};
    for (const auto& option : s3Options()) all.push_back(option);
    return all;
}

Limits::Limits(const Settings& settings, const std::string& host) {
    const auto get = [&](const auto& option) { return settings.get(option, host); };
    message = {get(fileBytesMax), get(accountBytesMax), get(keptFor)};
    profile = {get(profileFileBytesMax), get(profileBytesMax), get(profileKeptFor)};
    permanent = {std::min<std::uint64_t>(message.fileBytesMax, get(permanentBytesMax)),
                 get(permanentBytesMax), never};
    hostBytesMax = get(hostBytesOption);
    freeBytesMin = get(upload::freeBytesMin);
    openSlotsMax = get(upload::openSlotsMax);
    slotLifetime = get(upload::slotLifetime);
    uploadMax = get(upload::uploadMax);
    guests = get(upload::guests);
    stripped = get(strippedOption);
    static const std::string installed = findPictureProgram();
    pictures = {.thumbnailSide = get(thumbnailsOption) ? unsigned(get(thumbnailSide)) : 0,
                .bytesMax = get(imageBytesMax),
                .pixelsMax = std::uint64_t(get(imagePixelsMax)),
                .memoryBytes = get(imageMemoryMax),
                .time = get(imageTimeout),
                .program = get(imageProgram).empty() ? installed : get(imageProgram)};
    publicUrl = get(upload::publicUrl);
    while (publicUrl.ends_with('/')) publicUrl.pop_back();
    if (publicUrl.empty()) publicUrl = publicUrlOf(settings, host);
}

const PurposeLimits& Limits::of(Purpose purpose) const {
    switch (bucketOf(purpose)) {
        case Purpose::Profile:
            return profile;
        case Purpose::Permanent:
            return permanent;
        default:
            return message;
    }
}

PictureWish Limits::picturesOf(Purpose purpose) const {
    PictureWish wish = pictures;
    wish.removesMetadata =
        std::find(stripped.begin(), stripped.end(), toText(purpose)) != stripped.end();
    return wish;
}

std::uint64_t Limits::largest() const {
    return std::max({message.fileBytesMax, profile.fileBytesMax, permanent.fileBytesMax});
}

}  // namespace epode::upload
