#include "thumbnail.h"

#include "metadata.h"
#include "picture.h"

#include <jpeglib.h>
#include <png.h>
#include <unistd.h>
#include <webp/decode.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace epode::image {

namespace {

constexpr int quality = 80;

bool isTooLarge(std::uint64_t width, std::uint64_t height, std::uint64_t pixelsMax) {
    return width == 0 || height == 0 || width * height > pixelsMax;
}

// ---- reading

std::optional<Picture> fromJpeg(std::string_view image, unsigned side, std::uint64_t pixelsMax) {
    jpeg_decompress_struct reader{};
    jpeg_error_mgr errors{};
    reader.err = jpeg_std_error(&errors);
    // There is nothing to clean in a process that ends, and what was done before is written.
    errors.error_exit = [](j_common_ptr) { std::_Exit(EXIT_SUCCESS); };
    errors.output_message = [](j_common_ptr) {};
    jpeg_create_decompress(&reader);
    jpeg_mem_src(&reader, reinterpret_cast<const unsigned char*>(image.data()),
                 static_cast<unsigned long>(image.size()));
    jpeg_read_header(&reader, TRUE);
    const bool hasInks = reader.num_components == 4;
    if (hasInks || isTooLarge(reader.image_width, reader.image_height, pixelsMax))
        return std::nullopt;
    reader.out_color_space = JCS_RGB;
    // The library shrinks by eighths for free.
    const unsigned longer = std::max(reader.image_width, reader.image_height);
    unsigned eighths = 8;
    while (eighths > 1 && longer * (eighths / 2) / 8 >= 2 * side) eighths /= 2;
    reader.scale_num = eighths;
    reader.scale_denom = 8;
    jpeg_start_decompress(&reader);
    unsigned width = 0;
    unsigned height = 0;
    fitInto(side, reader.output_width, reader.output_height, width, height);
    Shrinker shrinker{reader.output_width, reader.output_height, width, height, 3};
    std::vector<std::uint8_t> row(std::size_t(reader.output_width) * 3);
    while (reader.output_scanline < reader.output_height) {
        JSAMPROW rows[] = {row.data()};
        if (jpeg_read_scanlines(&reader, rows, 1) != 1) return std::nullopt;
        shrinker.add(row.data());
    }
    return shrinker.take();
}

Picture shrunk(const std::uint8_t* pixels, unsigned width, unsigned height, unsigned side) {
    unsigned smallWidth = 0;
    unsigned smallHeight = 0;
    fitInto(side, width, height, smallWidth, smallHeight);
    Shrinker shrinker{width, height, smallWidth, smallHeight, 4};
    for (unsigned y = 0; y < height; ++y) shrinker.add(pixels + std::size_t(y) * width * 4);
    return shrinker.take();
}

std::optional<Picture> fromPng(std::string_view image, unsigned side, std::uint64_t pixelsMax) {
    png_image reader{};
    reader.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(&reader, image.data(), image.size()) ||
        isTooLarge(reader.width, reader.height, pixelsMax))
        return std::nullopt;
    reader.format = PNG_FORMAT_RGBA;
    std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(reader));
    if (!png_image_finish_read(&reader, nullptr, pixels.data(), 0, nullptr)) return std::nullopt;
    return shrunk(pixels.data(), reader.width, reader.height, side);
}

std::optional<Picture> fromWebp(std::string_view image, unsigned side, std::uint64_t pixelsMax) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(image.data());
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config) ||
        WebPGetFeatures(bytes, image.size(), &config.input) != VP8_STATUS_OK ||
        config.input.has_animation ||
        isTooLarge(unsigned(config.input.width), unsigned(config.input.height), pixelsMax))
        return std::nullopt;
    config.output.colorspace = MODE_RGBA;
    if (WebPDecode(bytes, image.size(), &config) != VP8_STATUS_OK) return std::nullopt;
    return shrunk(config.output.u.RGBA.rgba, unsigned(config.output.width),
                  unsigned(config.output.height), side);
}

// ---- writing

bool isOpaque(const Picture& picture) {
    for (std::size_t at = 3; picture.channels == 4 && at < picture.pixels.size(); at += 4)
        if (picture.pixels[at] != 255) return false;
    return true;
}

std::string toPng(const Picture& picture) {
    png_image writer{};
    writer.version = PNG_IMAGE_VERSION;
    writer.width = picture.width;
    writer.height = picture.height;
    writer.format = PNG_FORMAT_RGBA;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(writer);
    std::string bytes(size, '\0');
    if (!png_image_write_to_memory(&writer, bytes.data(), &size, 0, picture.pixels.data(), 0,
                                   nullptr))
        return {};
    bytes.resize(size);
    return bytes;
}

std::string toJpeg(const Picture& picture) {
    jpeg_compress_struct writer{};
    jpeg_error_mgr errors{};
    writer.err = jpeg_std_error(&errors);
    errors.error_exit = [](j_common_ptr) { std::_Exit(EXIT_SUCCESS); };
    jpeg_create_compress(&writer);
    unsigned char* out = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&writer, &out, &size);
    writer.image_width = picture.width;
    writer.image_height = picture.height;
    writer.input_components = 3;
    writer.in_color_space = JCS_RGB;
    jpeg_set_defaults(&writer);
    jpeg_set_quality(&writer, quality, TRUE);
    jpeg_start_compress(&writer, TRUE);
    std::vector<std::uint8_t> row(std::size_t(picture.width) * 3);
    for (unsigned y = 0; y < picture.height; ++y) {
        const std::uint8_t* from =
            picture.pixels.data() + std::size_t(y) * picture.width * picture.channels;
        for (unsigned x = 0; x < picture.width; ++x, from += picture.channels)
            std::copy_n(from, 3, &row[std::size_t(x) * 3]);
        JSAMPROW rows[] = {row.data()};
        jpeg_write_scanlines(&writer, rows, 1);
    }
    jpeg_finish_compress(&writer);
    std::string bytes{reinterpret_cast<const char*>(out), size};
    jpeg_destroy_compress(&writer);
    std::free(out);
    return bytes;
}

std::optional<Picture> read(std::string_view image, unsigned side, std::uint64_t pixelsMax) {
    switch (formatOf(image)) {
        case Format::Jpeg:
            return fromJpeg(image, side, pixelsMax);
        case Format::Png:
            return fromPng(image, side, pixelsMax);
        case Format::Webp:
            return fromWebp(image, side, pixelsMax);
        default:
            return std::nullopt;
    }
}

}  // namespace

std::optional<Thumbnail> thumbnailOf(std::string_view image, unsigned side,
                                     std::uint64_t pixelsMax) {
    auto picture = read(image, side, pixelsMax);
    if (!picture) return std::nullopt;
    const Picture small = turned(std::move(*picture), orientationOf(image));
    const bool isJpeg = isOpaque(small);
    Thumbnail made{.type = isJpeg ? "image/jpeg" : "image/png",
                   .width = small.width,
                   .height = small.height,
                   .bytes = isJpeg ? toJpeg(small) : toPng(small)};
    if (made.bytes.empty()) return std::nullopt;
    return made;
}

}  // namespace epode::image
