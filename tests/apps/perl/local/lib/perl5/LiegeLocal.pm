# SPDX-License-Identifier: MIT
# A module that is only found through perl-local-lib.
package LiegeLocal;
sub where { 'local' }
1;
