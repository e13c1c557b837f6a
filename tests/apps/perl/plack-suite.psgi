# SPDX-License-Identifier: MIT
# The application of Plack's own test suite for servers. plack-suite-client.pl names the test in a
# header; Lint checks the environment and the response besides.
use strict;
use warnings;
use Plack::Middleware::Lint;
use Plack::Test::Suite;

Plack::Middleware::Lint->wrap(Plack::Test::Suite->test_app_handler);
