# SPDX-License-Identifier: MIT
# A script for perl-exec-post-fork: it runs in each worker.
push @main::forked, 'script ' . liege::worker_id();
