# SPDX-License-Identifier: GPL-2.0-or-later
# Prints lines that are the same on every machine.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Math::BigInt;

my $text = join '', map { "line $_ has " . ($_ * $_) . " and " . ($_ ^ 21845) . "\n" } 1 .. 30000;
print 'sha256 ', sha256_hex($text), "\n";

my %counts;
$counts{$1}++ while $text =~ /(\d\d)\b/g;
print 'counts ', sha256_hex(join ',', map { "$_=$counts{$_}" } sort keys %counts), "\n";

(my $changed = $text) =~ s/(\d+) has (\d+)/sprintf('%x:%o', $1, $2)/ge;
print 'changed ', sha256_hex($changed), "\n";

my @sorted = sort { ($a * 7919) % 10007 <=> ($b * 7919) % 10007 || $a <=> $b } 1 .. 20000;
print 'sorted ', sha256_hex("@sorted"), "\n";

my $big = Math::BigInt->new(1);
$big->bmul($_) for 1 .. 300;
print 'factorial ', sha256_hex("$big"), "\n";

my $sum = 0;
$sum += sqrt($_) / ($_ % 13 + 1) for 1 .. 200000;
print 'float ', unpack('H*', pack('d>', $sum)), "\n";

my $died = 0;
for (1 .. 5000) { eval { die { code => $_ } }; $died += $@->{code} % 7 }
print "died $died\n";

my @children = map {
    my $pid = open(my $pipe, '-|') // die;
    if (!$pid) { print sha256_hex("$_" x 5000); exit }
    $pipe
} 1 .. 12;
print 'children ', sha256_hex(join '', map { my $h = $_; <$h> } @children), "\n";
