# SPDX-License-Identifier: MIT
# Writes a text file as a C string: embed.pl INPUT OUTPUT NAME. Used by the build for code in a language
# that is part of its plugin.
use strict;
use warnings;

my ($input, $output, $name) = @ARGV;
open my $in,  '<', $input  or die "$input: $!\n";
open my $out, '>', $output or die "$output: $!\n";

print {$out} "static const char $name\[] =\n";
while (my $line = <$in>) {
    chomp $line;
    $line =~ s/(["\\])/\\$1/g;
    print {$out} qq(    "$line\\n"\n);
}
print {$out} "    ;\n";
close $out or die "$output: $!\n";
