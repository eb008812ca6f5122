// What a line expects: XML with {words} in it.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace epode::dialogue {

// What {words} stand for. The first time that a word is expected it stands for whatever came; from
// then on it stands for just that.
using Words = std::map<std::string, std::string, std::less<>>;

// Why `got` is not as `pattern` says; "" when it is.
//
// Elements have the pattern's attributes and no others, but for `id`, `to`, `ver` and `xml:lang`,
// which are free where the pattern doesn't name them; its text, blanks around it aside; and its
// children in its order and no others. {any} as the text of an element lets it have further
// children and any text. The <text/> of an error is free.
std::string mismatch(std::string_view pattern, std::string_view got, Words& words);

// `text` with its words replaced, and with what {70000 times x}, {bytes 00 ff} and
// {base64 \0juliet\0secret} mean. Throws std::invalid_argument for a word that stands for nothing.
std::string filled(std::string_view text, const Words& words);

}  // namespace epode::dialogue
