# SPDX-License-Identifier: MIT
# A PSGI application under Plack's middleware: the request as it arrived, a streamed answer, an echo.
use strict;
use warnings;
use Plack::Builder;
use Plack::Request;

sub escape {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    $text =~ s/([&<>"])/$entity{$1}/g;
    return $text;
}

sub show_request {
    my ($env) = @_;
    my @rows = map { "<tr><td>" . escape($_) . "<td>" . escape("$env->{$_}") . "</tr>\n" }
        grep { defined $env->{$_} && !ref $env->{$_} } sort keys %$env;
    my $page = "<!DOCTYPE html>\n<html lang=\"en\">\n<title>Board</title>\n<h1>Your request</h1>\n"
        . "<table>\n@rows</table>\n<p><a href=\"/stream\">A streamed page</a></p>\n";
    return [200, ['Content-Type' => 'text/html; charset=utf-8'], [$page]];
}

# PSGI's delayed response: the head first, then the body a line at a time.
sub stream {
    my ($env) = @_;
    my $lines = Plack::Request->new($env)->parameters->get('lines') || 10;
    return sub {
        my ($respond) = @_;
        my $writer = $respond->([200, ['Content-Type' => 'text/plain']]);
        $writer->write("line $_\n") for 1 .. $lines;
        $writer->close;
    };
}

sub echo {
    my ($env) = @_;
    my $request = Plack::Request->new($env);
    return [200, ['Content-Type' => 'application/octet-stream'], [$request->content]];
}

builder {
    enable 'ContentLength';
    enable 'Runtime';
    mount '/stream' => \&stream;
    mount '/echo'   => \&echo;
    mount '/'       => \&show_request;
};
