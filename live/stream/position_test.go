package stream_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/lazysession/session/live/stream"
)

func TestPositionInJSON(t *testing.T) {
	for text, want := range map[string]stream.Position{
		`["e1",41]`:                    {Epoch: "e1", Number: 41},
		`["",0]`:                       {},
		`["é\"",18446744073709551615]`: {Epoch: `é"`, Number: 1<<64 - 1},
	} {
		var got stream.Position
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %v and error %v, want %v", text, got, err, want)
		}
		if again, err := json.Marshal(want); err != nil || string(again) != text {
			t.Errorf("%v: got %s and error %v, want %s", want, again, err, text)
		}
	}
}

func TestPositionRefuses(t *testing.T) {
	for _, text := range []string{
		`41`, `"e1"`, `{"e1":41}`, `[]`, `["e1"]`, `["e1",41,0]`, `[41,"e1"]`, `["e1","41"]`, `["e1",-1]`, `["e1",1.5]`,
		`["e1",18446744073709551616]`,
	} {
		got := stream.Position{Epoch: "before", Number: 7}
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %v and no error", text, got)
		}
		if got.Epoch != "before" || got.Number != 7 {
			t.Errorf("%s: the position became %v", text, got)
		}
	}
}

func TestNames(t *testing.T) {
	id := stream.NewID()
	for _, test := range []struct {
		name                      stream.Name
		channel, socket, receiver bool
	}{
		{stream.Of("room/7"), true, false, false},
		{stream.Of(""), true, false, false},
		{stream.Of(string(id[:])), true, false, false}, // as long as an ID
		{stream.Own(id), false, true, false},
		{stream.Received(id), false, false, true},
		{stream.Own(id) + "x", false, false, false},
		{"s", false, false, false},
		{"", false, false, false},
	} {
		channel, isChannel := test.name.Channel()
		socket, isSocket := test.name.Socket()
		receiver, isReceiver := test.name.Receiver()
		if isChannel != test.channel || isSocket != test.socket || isReceiver != test.receiver {
			t.Errorf("%q: a channel's %t, a socket's %t, a receiver's %t", test.name, isChannel, isSocket, isReceiver)
		}
		if isChannel && stream.Of(channel) != test.name {
			t.Errorf("%q: got channel %q", test.name, channel)
		}
		if isSocket && socket != id || isReceiver && receiver != id {
			t.Errorf("%q: got IDs %v and %v, want %v", test.name, socket, receiver, id)
		}
	}
}

func TestRetentionDefaults(t *testing.T) {
	defaults := stream.Retention{Messages: 1000, Bytes: 1 << 20, Age: 5 * time.Minute}
	for _, test := range []struct{ given, want stream.Retention }{
		{stream.Retention{}, defaults},
		{stream.Retention{Messages: -1, Bytes: -1, Age: -1}, defaults},
		{stream.Retention{Messages: 7}, stream.Retention{Messages: 7, Bytes: 1 << 20, Age: 5 * time.Minute}},
		{stream.Retention{Bytes: 7}, stream.Retention{Messages: 1000, Bytes: 7, Age: 5 * time.Minute}},
		{stream.Retention{Age: 7}, stream.Retention{Messages: 1000, Bytes: 1 << 20, Age: 7}},
	} {
		if got := test.given.WithDefaults(); got != test.want {
			t.Errorf("%+v: got %+v, want %+v", test.given, got, test.want)
		}
	}
}

func TestGapError(t *testing.T) {
	var err error = &stream.GapError{
		Stream: stream.Of("room"), Why: stream.Old, At: stream.Position{Epoch: "e1", Number: 41},
	}
	if !errors.Is(err, stream.ErrGap) || errors.Is(err, stream.ErrFenced) {
		t.Error("a GapError is ErrGap and nothing else")
	}
	if got, want := err.Error(), `stream: gap in "croom" (old): reading goes on after 41`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOpKindString(t *testing.T) {
	for kind, want := range map[stream.OpKind]string{
		stream.Send: "send", stream.Renumber: "renumber", stream.Renumber + 1: "OpKind(8)",
	} {
		if got := kind.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
