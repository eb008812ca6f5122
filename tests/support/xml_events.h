// What a parser of streams tells, as texts which tests and the fuzzer compare.
#pragma once

#include "core/xml_stream.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode::test {

using Events = std::vector<std::string>;

inline std::string describe(const StreamHeader& header) {
    return "header to=" + header.to + " from=" + header.from + " id=" + header.id +
           " lang=" + header.lang + " version=" + header.version + " ns=" + header.defaultNs +
           (header.hasDeclaration ? " declared" : "");
}

// All events of `input`, given in pieces that end at the offsets in `cuts` (rising).
inline Events events(XmlParserPool& pool, std::string_view input,
                     const std::vector<std::size_t>& cuts = {}, const XmlLimits& limits = {}) {
    XmlStream stream{pool, limits};
    Events told;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
        const std::size_t end = i < cuts.size() ? cuts[i] : input.size();
        std::string_view piece = input.substr(begin, end - begin);
        begin = end;
        for (;;) {
            const auto event = stream.next(piece);
            if (event == XmlStream::Event::NeedMore) break;
            if (event == XmlStream::Event::Header) told.push_back(describe(stream.header()));
            if (event == XmlStream::Event::Element) told.push_back(toXml(*stream.takeElement()));
            if (event == XmlStream::Event::Close) told.push_back("close");
            if (event == XmlStream::Event::Failure) {
                told.push_back("failure " + std::string{toText(stream.error().condition)});
                return told;
            }
        }
    }
    return told;
}

}  // namespace epode::test
