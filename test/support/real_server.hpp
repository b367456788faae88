#pragma once

// All real servers.

#include "support/apache.hpp"
#include "support/h2o.hpp"
#include "support/haproxy.hpp"
#include "support/nghttpd.hpp"
#include "support/nghttpx.hpp"
#include "support/nginx.hpp"
