// The table of options against what libcurl says of them.
#include "curl/option_rules.hpp"

#include <catch2/catch_test_macros.hpp>

namespace {

using namespace ringlet::detail;

OptionType type_of(curl_easytype type) {
    switch (type) {
        case CURLOT_LONG:
        case CURLOT_VALUES:
            return OptionType::number;
        case CURLOT_OFF_T:
            return OptionType::offset;
        case CURLOT_STRING:
            return OptionType::text;
        case CURLOT_SLIST:
            return OptionType::list;
        case CURLOT_BLOB:
            return OptionType::blob;
        case CURLOT_FUNCTION:
            return OptionType::function;
        case CURLOT_OBJECT:
        case CURLOT_CBPTR:
            break;
    }
    return OptionType::pointer;
}

TEST_CASE("values that reach a lane key are read as what they are", "[compat][options]") {
    int in_keys = 0;
    for (const auto* option = curl_easy_option_next(nullptr); option != nullptr;
         option = curl_easy_option_next(option)) {
        CAPTURE(option->name);
        const auto wanted = type_of(option->type);
        const auto found = option_type(option->id);
        const auto effect = effect_of(option->id);
        const bool read = effect == OptionEffect::in_key || effect == OptionEffect::credential ||
                          effect == OptionEffect::names_origin;
        if (read) {
            ++in_keys;
            CHECK(found == wanted);
        } else {
            // Only how it is passed on matters: as a number or as a pointer.
            const bool number = wanted == OptionType::number || wanted == OptionType::offset;
            CHECK((found == OptionType::number || found == OptionType::offset) == number);
        }
    }
    CHECK(in_keys > 90);
}

TEST_CASE("what a connection keeps, or nobody knows, is shared with nobody", "[compat][options]") {
    for (const auto option :
         {CURLOPT_OPENSOCKETFUNCTION, CURLOPT_CLOSESOCKETFUNCTION, CURLOPT_SOCKOPTFUNCTION,
          CURLOPT_SSL_CTX_FUNCTION, CURLOPT_RESOLVE, CURLOPT_SSLENGINE}) {
        CHECK(effect_of(option) == OptionEffect::is_private);
    }
    for (const int number : {0, 8, 390, 399, 400, 5000, 9999, 39999}) {
        CHECK(effect_of(static_cast<CURLoption>(number)) == OptionEffect::is_private);
    }
    CHECK(effect_of(CURLOPT_CONNECT_ONLY) == OptionEffect::own_way);
    CHECK(effect_of(CURLOPT_WRITEFUNCTION) == OptionEffect::harmless);
    CHECK(effect_of(CURLOPT_SSL_VERIFYPEER) == OptionEffect::in_key);
}

TEST_CASE("schemes that authenticate the connection are known", "[compat][options]") {
    CHECK(binds_connection(CURLAUTH_NTLM));
    CHECK(binds_connection(CURLAUTH_NEGOTIATE));
    CHECK(binds_connection(CURLAUTH_ANY));
    CHECK(binds_connection(CURLAUTH_ANYSAFE));
    CHECK_FALSE(binds_connection(CURLAUTH_BASIC | CURLAUTH_DIGEST | CURLAUTH_BEARER));
}

}  // namespace
