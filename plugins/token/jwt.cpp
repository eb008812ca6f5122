#include "jwt.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/sasl/oauth_bearer.h"

#include <Poco/Dynamic/Var.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <stdexcept>

namespace epode::token {

namespace {

using Poco::Dynamic::Var;
using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr int jsonDepthMax = 8;
constexpr std::size_t keysMax = 100;
constexpr std::size_t rsaBytesMin = 256;  // RFC 7518, 3.3
constexpr std::size_t rsaBytesMax = 2048;
constexpr std::size_t exponentBytesMax = 8;
constexpr std::size_t secretBytesMin = 32;  // RFC 7518, 3.2
constexpr std::size_t es256Bytes = 32;      // of each of the two numbers of a signature
// Years from 1970 to 9999, in seconds.
constexpr double dateMost = 253402300799.0;

// Without padding (RFC 7515, 2), and in the one way to write it.
std::optional<std::string> decodePart(std::string_view text) {
    std::string padded{text};
    for (char& c : padded) {
        if (c == '+' || c == '/' || c == '=') return std::nullopt;
        if (c == '-') c = '+';
        if (c == '_') c = '/';
    }
    while (padded.size() % 4 != 0) padded += '=';
    return decodeBase64(padded);
}

std::string encodePart(std::string_view bytes) {
    std::string text = encodeBase64(bytes);
    while (text.ends_with('=')) text.pop_back();
    for (char& c : text) {
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    return text;
}

Object::Ptr parseObject(const std::string& json) {
    try {
        Poco::JSON::Parser parser;
        parser.setDepth(jsonDepthMax);
        const Var parsed = parser.parse(json);
        return parsed.type() == typeid(Object::Ptr) ? parsed.extract<Object::Ptr>() : nullptr;
    } catch (const Poco::Exception&) {
        return nullptr;
    }
}

// Nothing when the member is there and is no text.
std::optional<std::string> textOf(const Object& object, const std::string& name) {
    if (!object.has(name)) return std::string{};
    const Var value = object.get(name);
    return value.isString() ? std::optional{value.extract<std::string>()} : std::nullopt;
}

// A text, or a list of texts.
std::optional<std::vector<std::string>> listOf(const Object& object, const std::string& name) {
    std::vector<std::string> list;
    if (!object.has(name)) return list;
    const Var value = object.get(name);
    if (value.isString()) {
        list.push_back(value.extract<std::string>());
        return list;
    }
    const auto array = object.getArray(name);
    if (!array) return std::nullopt;
    for (const Var& each : *array) {
        if (!each.isString()) return std::nullopt;
        list.push_back(each.extract<std::string>());
    }
    return list;
}

// NumericDate of RFC 7519. False when it is there and makes no sense.
bool readDate(const Object& object, const std::string& name, std::optional<WallTime>& date) {
    if (!object.has(name)) return true;
    const Var value = object.get(name);
    if (!value.isNumeric() || value.isBoolean()) return false;
    const double seconds = value.convert<double>();
    if (!std::isfinite(seconds) || seconds < 0 || seconds > dateMost) return false;
    date = fromMilliseconds(std::int64_t(seconds * 1000));
    return true;
}

std::vector<std::string> wordsOf(const std::vector<std::string>& texts) {
    std::vector<std::string> words;
    for (const std::string& text : texts) {
        for (std::size_t at = 0; at < text.size();) {
            const auto end = std::min(text.find(' ', at), text.size());
            if (end > at) words.push_back(text.substr(at, end - at));
            at = end + 1;
        }
    }
    return words;
}

std::optional<Algorithm> parseAlgorithm(std::string_view text) {
    for (const Algorithm algorithm : {Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256})
        if (toText(algorithm) == text) return algorithm;
    return std::nullopt;
}

struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
    void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

// ES256 has two numbers one behind the other (RFC 7518, 3.4); OpenSSL wants them in DER.
std::string toDer(std::string_view signature) {
    if (signature.size() != 2 * es256Bytes) return {};
    const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
    const std::unique_ptr<ECDSA_SIG, Free> numbers{ECDSA_SIG_new()};
    BIGNUM* r = BN_bin2bn(bytes, es256Bytes, nullptr);
    BIGNUM* s = BN_bin2bn(bytes + es256Bytes, es256Bytes, nullptr);
    if (!numbers || ECDSA_SIG_set0(numbers.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return {};
    }
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(numbers.get(), &der);
    if (size <= 0) return {};
    std::string text{reinterpret_cast<char*>(der), std::size_t(size)};
    OPENSSL_free(der);
    return text;
}

bool isSignedBy(const Key& key, std::string_view input, std::string_view signature) {
    if (key.algorithm == Algorithm::Hs256)
        return equalInConstantTime(hmac(Hash::Sha256, key.secret, input), signature);
    const std::string proof =
        key.algorithm == Algorithm::Es256 ? toDer(signature) : std::string{signature};
    if (proof.empty()) return false;
    const std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
    const auto bytes = [](std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    };
    return context &&
           EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.pkey.get()) ==
               1 &&
           EVP_DigestVerify(context.get(), bytes(proof), proof.size(), bytes(input),
                            input.size()) == 1;
}

struct Header {
    Algorithm algorithm;
    std::string keyId;
};

std::optional<Header> readHeader(const std::string& json) {
    const auto object = parseObject(json);
    if (!object || object->has("crit")) return std::nullopt;
    const auto name = textOf(*object, "alg");
    const auto keyId = textOf(*object, "kid");
    auto type = textOf(*object, "typ");
    if (!name || !keyId || !type) return std::nullopt;
    for (char& c : *type)
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    if (!type->empty() && *type != "jwt" && *type != "at+jwt" && *type != "application/at+jwt")
        return std::nullopt;
    const auto algorithm = parseAlgorithm(*name);
    return algorithm ? std::optional{Header{*algorithm, *keyId}} : std::nullopt;
}

std::optional<Token> readClaims(const std::string& json) {
    const auto object = parseObject(json);
    if (!object) return std::nullopt;
    Token token;
    const auto issuer = textOf(*object, "iss");
    const auto subject = textOf(*object, "sub");
    auto audience = listOf(*object, "aud");
    auto scopes = listOf(*object, object->has("scope") ? "scope" : "scp");
    if (!issuer || !subject || !audience || !scopes || !readDate(*object, "exp", token.expires) ||
        !readDate(*object, "nbf", token.notBefore) || !readDate(*object, "iat", token.issued))
        return std::nullopt;
    token.issuer = *issuer;
    token.subject = *subject;
    token.audience = std::move(*audience);
    token.scopes = wordsOf(*scopes);
    for (const auto& [name, value] : *object)
        if (value.isString() || (value.isInteger() && !value.isBoolean()))
            token.texts.emplace_back(name, value.convert<std::string>());
    return token;
}

// Big numbers go in through a builder, which knows how this machine writes them.
class Parameters {
public:
    Parameters() : builder_{OSSL_PARAM_BLD_new()} {}
    ~Parameters() {
        OSSL_PARAM_free(all_);
        OSSL_PARAM_BLD_free(builder_);
        for (BIGNUM* number : numbers_) BN_free(number);
    }
    Parameters(const Parameters&) = delete;
    Parameters& operator=(const Parameters&) = delete;

    void number(const char* name, const std::string& bytes) {
        BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                   int(bytes.size()), nullptr);
        if (!number) return;
        numbers_.push_back(number);
        OSSL_PARAM_BLD_push_BN(builder_, name, number);
    }
    void text(const char* name, const char* value) {
        OSSL_PARAM_BLD_push_utf8_string(builder_, name, value, 0);
    }
    void bytes(const char* name, std::string value) {
        // The builder copies nothing before it is done.
        texts_.push_back(std::move(value));
        OSSL_PARAM_BLD_push_octet_string(builder_, name, texts_.back().data(),
                                         texts_.back().size());
    }

    // Null when these are no key.
    std::shared_ptr<EVP_PKEY> makeKey(const char* type) {
        all_ = OSSL_PARAM_BLD_to_param(builder_);
        const std::unique_ptr<EVP_PKEY_CTX, Free> context{
            EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
        EVP_PKEY* made = nullptr;
        if (!all_ || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
            EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, all_) != 1)
            return nullptr;
        return {made, EVP_PKEY_free};
    }

private:
    OSSL_PARAM_BLD* builder_;
    OSSL_PARAM* all_ = nullptr;
    std::vector<BIGNUM*> numbers_;
    std::deque<std::string> texts_;
};

std::optional<Key> readKey(const Object& object) {
    const auto member = [&object](const std::string& name) {
        return textOf(object, name).value_or("");
    };
    const auto number = [&member](const std::string& name) {
        return decodePart(member(name)).value_or("");
    };
    if (member("use") == "enc") return std::nullopt;
    Key key;
    key.id = member("kid");
    const std::string type = member("kty");
    if (type == "RSA") {
        key.algorithm = Algorithm::Rs256;
        const std::string modulus = number("n");
        const std::string exponent = number("e");
        if (modulus.size() < rsaBytesMin || modulus.size() > rsaBytesMax || exponent.empty() ||
            exponent.size() > exponentBytesMax)
            return std::nullopt;
        Parameters parameters;
        parameters.number(OSSL_PKEY_PARAM_RSA_N, modulus);
        parameters.number(OSSL_PKEY_PARAM_RSA_E, exponent);
        key.pkey = parameters.makeKey("RSA");
    } else if (type == "EC" && member("crv") == "P-256") {
        key.algorithm = Algorithm::Es256;
        const std::string x = number("x");
        const std::string y = number("y");
        if (x.size() != es256Bytes || y.size() != es256Bytes) return std::nullopt;
        Parameters parameters;
        parameters.text(OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1");
        parameters.bytes(OSSL_PKEY_PARAM_PUB_KEY, "\x04" + x + y);
        key.pkey = parameters.makeKey("EC");
    } else if (type == "oct") {
        key.secret = number("k");
        if (key.secret.size() < secretBytesMin) return std::nullopt;
    } else {
        return std::nullopt;
    }
    const std::string algorithm = member("alg");
    if (!algorithm.empty() && algorithm != toText(key.algorithm)) return std::nullopt;
    if (key.algorithm != Algorithm::Hs256 && !key.pkey) return std::nullopt;
    return key;
}

}  // namespace

std::string_view toText(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::Hs256:
            return "HS256";
        case Algorithm::Rs256:
            return "RS256";
        case Algorithm::Es256:
            return "ES256";
    }
    return "";
}

std::vector<Key> readKeySet(const std::string& json) {
    const auto object = parseObject(json);
    const auto array = object ? object->getArray("keys") : nullptr;
    if (!array) throw std::runtime_error{"it is no JWK Set (RFC 7517)"};
    if (array->size() > keysMax) throw std::runtime_error{"it has too many keys"};
    std::vector<Key> keys;
    for (const Var& each : *array) {
        if (each.type() != typeid(Object::Ptr)) continue;
        if (auto key = readKey(*each.extract<Object::Ptr>())) keys.push_back(std::move(*key));
    }
    return keys;
}

std::string Token::claim(const std::string& name) const {
    for (const auto& [key, value] : texts)
        if (key == name) return value;
    return {};
}

std::optional<Token> readToken(std::string_view compact, const std::vector<Key>& keys) {
    if (compact.size() > sasl::tokenBytesMax) return std::nullopt;
    const auto first = compact.find('.');
    const auto second = first == std::string_view::npos ? first : compact.find('.', first + 1);
    if (second == std::string_view::npos || compact.find('.', second + 1) != std::string_view::npos)
        return std::nullopt;
    const auto headerJson = decodePart(compact.substr(0, first));
    const auto signature = decodePart(compact.substr(second + 1));
    if (!headerJson || !signature || signature->empty()) return std::nullopt;
    const auto header = readHeader(*headerJson);
    if (!header) return std::nullopt;
    const std::string_view input = compact.substr(0, second);
    const bool isSigned = std::any_of(keys.begin(), keys.end(), [&](const Key& key) {
        const bool mayBe = key.algorithm == header->algorithm &&
                           (header->keyId.empty() || key.id.empty() || key.id == header->keyId);
        return mayBe && isSignedBy(key, input, *signature);
    });
    if (!isSigned) return std::nullopt;
    const auto claimsJson = decodePart(compact.substr(first + 1, second - first - 1));
    auto token = claimsJson ? readClaims(*claimsJson) : std::nullopt;
    if (!token) return std::nullopt;
    token->algorithm = header->algorithm;
    token->keyId = header->keyId;
    return token;
}

std::string keyIdOf(std::string_view compact) {
    if (compact.size() > sasl::tokenBytesMax) return {};
    const auto json = decodePart(compact.substr(0, compact.find('.')));
    const auto header = json ? readHeader(*json) : std::nullopt;
    return header ? header->keyId : std::string{};
}

std::string signToken(const Key& key, const std::string& claims) {
    std::string header = "{\"alg\":\"HS256\",\"typ\":\"JWT\"";
    if (!key.id.empty()) header.append(",\"kid\":\"").append(key.id).append("\"");
    std::string text = encodePart(header + "}") + "." + encodePart(claims);
    const std::string signature = hmac(Hash::Sha256, key.secret, text);
    return text.append(".").append(encodePart(signature));
}

}  // namespace epode::token
