# A file whose last value is false, after a failed system call.
open my $fh, '<', '/nonexistent/file';
0;
