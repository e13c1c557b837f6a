# SPDX-License-Identifier: MIT
# An application that has loaded some 200 modules of Debian's perl and of Plack, as a grown site has.
use strict;
use warnings;

my @modules = qw(
    Plack::App::Cascade Plack::App::Directory Plack::App::File Plack::App::URLMap
    Plack::Builder Plack::Request Plack::Response Plack::Middleware::AccessLog::Timed
    Plack::Middleware::Auth::Basic Plack::Middleware::BufferedStreaming
    Plack::Middleware::Chunked Plack::Middleware::Conditional Plack::Middleware::ConditionalGET
    Plack::Middleware::ContentLength Plack::Middleware::ContentMD5
    Plack::Middleware::ErrorDocument Plack::Middleware::HTTPExceptions Plack::Middleware::Head
    Plack::Middleware::JSONP Plack::Middleware::RearrangeHeaders Plack::Middleware::Recursive
    Plack::Middleware::Runtime Plack::Middleware::SimpleContentFilter
    Plack::Middleware::SimpleLogger Plack::Middleware::StackTrace Plack::Middleware::Static
    Plack::Middleware::XFramework Plack::Middleware::XSendfile HTTP::Cookies
    HTTP::Request::Common HTTP::Tiny URI::QueryParam URI::file URI::https Archive::Tar
    Data::Dumper Digest::SHA Encode::Guess File::Find File::Temp File::stat Getopt::Long
    IO::Compress::Zip IO::Socket::IP IO::Uncompress::AnyInflate IPC::Open3 JSON::PP List::Util
    Locale::Maketext MIME::QuotedPrint Math::BigFloat Memoize Net::SMTP POSIX Pod::Text Safe
    Storable Sys::Hostname Text::Balanced Text::ParseWords Text::Wrap Tie::RefHash Time::HiRes
    Time::Piece Unicode::Normalize autodie
);
for my $module (@modules) {
    (my $file = "$module.pm") =~ s{::}{/}g;
    require $file;
}
die "only " . keys(%INC) . " files of Perl are loaded" if keys(%INC) < 200;

Plack::Builder::builder(sub {
    Plack::Builder::enable($_) for 'Head', 'ContentLength', 'Runtime';
    sub {
        my $request = Plack::Request->new(shift);
        [200, ['Content-Type' => 'text/plain', 'X-Pid' => $$], ["hello from " . $request->path . "\n"]];
    };
});
