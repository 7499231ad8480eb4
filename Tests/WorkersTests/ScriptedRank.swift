import Foundation

/// A rank that does what its job's specification says, step by step.
///
/// For tests of processes, whose subject is how the worker treats ranks, not what ranks compute:
/// real ranks run in ClusterTests. Perl, since every Debian has it; mpirun starts it like any other program.
enum ScriptedRank {
    static func install(in folder: String) throws -> String {
        let path = folder + "/scripted-rank"
        try source.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    private static let source = #"""
        #!/usr/bin/perl
        use strict; use warnings; use IO::Socket::UNIX; use IO::Select;
        $| = 1;
        my $plan = do { local $/; open(my $f, '<', $ARGV[-1]) or die; <$f> };
        sub field { my ($v) = $plan =~ /"$_[0]":"([^"]*)"/; $v }
        my ($path, $script, $folder) = (field('socket'), field('script'), field('jobFolder'));
        sub nap { select(undef, undef, undef, $_[0]) }
        if (($ENV{OMPI_COMM_WORLD_RANK} // 0) > 0) { nap(1000); exit 0 }
        my $socket = IO::Socket::UNIX->new(Peer => $path) or die "cannot connect to $path";
        $socket->autoflush(1);
        sub say_line { print $socket "$_[0]\n" }
        sub checkpoint {
            my ($step) = @_;
            my $file = "$folder/step-$step";
            open(my $f, '>', $file) or die; print $f "weights"; close $f;
            my $digest = sprintf('%064x', $step);
            say_line(qq({"checkpoint":{"_0":{"step":$step,"path":"$file","bytes":7,) .
                qq("digest":"$digest","weightsDigest":"$digest"}}}));
        }
        my $step = 0;
        $step = $1 if $plan =~ /"checkpoint":\{[^}]*"step":(\d+)/;
        sub obey {
            my ($seconds) = @_;
            if (!IO::Select->new($socket)->can_read($seconds)) { return }
            my $line = <$socket>;
            exit 1 unless defined $line;
            if ($line =~ /cancel/) { say_line('{"left":{"_0":"cancel"}}'); exit 0 }
            checkpoint($step); say_line('{"left":{"_0":"leave"}}'); exit 0;
        }
        sub step {
            $step++;
            my ($loss, $digest) = (1 / $step, sprintf('%064x', $step));
            say_line(qq({"step":{"_0":{"step":$step,"loss":$loss,"learningRate":0.5,"gradNorm":1,) .
                qq("tokens":8,"supervisedTokens":4,"stepSeconds":0.01,"ranks":1,) .
                qq("weightsDigest":"$digest"}}}));
        }
        for my $command (split /; */, $script) {
            my ($verb, @rest) = split / +/, $command;
            if ($verb eq 'started') { say_line(qq({"started":{"ranks":1,"numericProfile":"p","stepsTotal":$rest[0]}})) }
            elsif ($verb eq 'steps') { while ($step < $rest[0]) { step(); obey($rest[1]) } }
            elsif ($verb eq 'checkpoint') { checkpoint($step) }
            elsif ($verb eq 'differ') { $step = 0; say_line(qq({"step":{"_0":{"step":1,"loss":9,"learningRate":0.5,"gradNorm":1,"tokens":8,"supervisedTokens":4,"stepSeconds":0.01,"ranks":1}}})) }
            elsif ($verb eq 'evaluation') { say_line(qq({"evaluation":{"step":$step,"metric":"loss","value":0.25,"n":5}})) }
            elsif ($verb eq 'print') { print "@rest\n" }
            elsif ($verb eq 'warn') { print STDERR "@rest\n" }
            elsif ($verb eq 'environment') { print "$_=$ENV{$_}\n" for sort keys %ENV; print "fds ", join(' ', sort { $a <=> $b } map { m|/(\d+)$| } glob("/proc/$$/fd/*")), "\n" }
            elsif ($verb eq 'done') { say_line('{"done":{"result":{"answer":42}}}') }
            elsif ($verb eq 'garble') { say_line('this is no event') }
            elsif ($verb eq 'fail') { my $input = $rest[0] eq 'input' ? 'true' : 'false'; say_line(qq({"failed":{"reason":"it says so","isInput":$input}})) }
            elsif ($verb eq 'deaf') { $SIG{TERM} = 'IGNORE'; while (1) { say_line('{"progress":{"phase":"busy","done":0,"total":1}}'); nap(0.1) } }
            elsif ($verb eq 'hang') { $SIG{TERM} = 'IGNORE'; nap(1000) while 1 }
            elsif ($verb eq 'nap') { nap($rest[0]) }
            elsif ($verb eq 'first') { my $mark = "$folder/$rest[0]"; last if -e $mark; open(my $f, '>', $mark); close $f }
            elsif ($verb eq 'offspring') { my $pid = fork(); if (!$pid) { setpgrp(0, 0); nap(1000); exit 0 } }
            elsif ($verb eq 'exit') { exit $rest[0] }
            elsif ($verb eq 'signal') { kill $rest[0], $$; nap(1000) }
            else { die "no such verb: $verb" }
        }
        # Whoever comes to the end of the script has done its work.
        say_line('{"done":{"result":{"answer":42}}}');
        """#
}
