// From WireOptions to curl_easy_setopt.
#pragma once

#include "curl/api.hpp"
#include "value/options.hpp"

#include <string>

namespace ringlet::detail {

/// Throws for a refused option: Error{invalid_argument} that names the setting, or std::bad_alloc.
void check_option(CURLcode code, const char* setting);

template <class T>
void set_option(CURL* easy, CURLoption option, T value, const char* setting) {
    check_option(curl().easy_setopt(easy, option, value), setting);
}

/// Sets what is set in `options` on an easy handle that has only a lane's own options. Throws as
/// check_option().
void apply_options(CURL* easy, const WireOptions& options);

/// What is offered as Accept-Encoding by default; computed once. Throws std::bad_alloc.
const std::string& usual_codings();

}  // namespace ringlet::detail
