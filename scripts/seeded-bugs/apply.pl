#!/usr/bin/env perl
# Puts one mistake into a copy of the sources: apply.pl BUG DIRECTORY…
#
# A bug is a file with a sentence that says what is wrong, then pairs of `--- find` and `--- replace`. What is to be found must
# stand exactly once in the Rust files below the directories; spaces and line breaks do not count, nor does the file, so that
# moving and formatting code leaves the bugs in place.
use strict;
use warnings;
use File::Find;

my ($bug, @directories) = @ARGV;
die "usage: apply.pl BUG DIRECTORY...\n" unless @directories;

sub slurp { my ($path) = @_; local $/; open my $in, '<', $path or die "$path: $!\n"; <$in> }

my %files;
find(sub { $files{$File::Find::name} = slurp($_) if /\.rs$/ && !/^tests\.rs$/ }, @directories);

my (undef, @steps) = split /^--- find\n/m, slurp($bug);
die "$bug: nothing to find\n" unless @steps;
for my $step (@steps) {
    my ($find, $replace) = split /^--- replace\n/m, $step, 2;
    die "$bug: no replacement\n" unless defined $replace;
    chomp $replace;
    my $pattern = join '\s*', map { quotemeta } $find =~ /\w+|[^\w\s]/g;
    my @hits = map { my $path = $_; my $times = () = $files{$path} =~ /$pattern/g; ($path) x $times } sort keys %files;
    die "$bug: stands " . @hits . " times, must be once: $find" unless @hits == 1;
    $files{ $hits[0] } =~ s/$pattern/$replace/;
    open my $out, '>', $hits[0] or die "$hits[0]: $!\n";
    print $out $files{ $hits[0] };
    close $out;
}
