// What is done with pictures before they are kept: metadata leaves them, and they get a small twin.
// A process of its own looks at them (image/main.cpp), one for each picture and with nothing in its
// hands.
#pragma once

#include "storage.h"

#include "core/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace epode::upload {

struct PictureWish {
    bool removesMetadata = false;
    unsigned thumbnailSide = 0;  // 0: none
    std::uint64_t bytesMax = 0;  // larger pictures are kept as they come
    std::uint64_t pixelsMax = 0;
    std::uint64_t memoryBytes = 0;
    Duration time{};
    std::string program{};  // "" when there is none
    std::string folder{};   // for what is under way

    bool isAny() const { return (removesMetadata || thumbnailSide > 0) && !program.empty(); }
};

// Where the program is: beside the server's own, else where it was installed; "" when nowhere.
std::string findPictureProgram();
// Whether it was built with what small pictures need.
bool canMakeThumbnails();

// The storage's file, with that done on the way when it begins as a picture does. All else goes
// straight through. With metadata removed, size and checksum are others than what came.
std::unique_ptr<IncomingFile> createWithPictures(FileStorage& storage, const std::string& place,
                                                 std::uint64_t bytes, const PictureWish& wish);

}  // namespace epode::upload
