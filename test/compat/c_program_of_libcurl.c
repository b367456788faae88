/* c_program.c as it was before its include was changed. */
#define RINGLET_CURL_OFF
#define request_with_new_handles request_with_new_handles_of_libcurl
#include "c_program.c"
