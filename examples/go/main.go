// A client of ALEJO: remembers, talks, recalls. docs/clients.md explains every part.
package main

//go:generate ../../.venv/bin/buf generate ../../proto

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "alejo.dev/example/gen/alejo/v1"
)

const fact, question = "My dog is called Luna.", "What is my dog called?"

func main() {
	url := cmp.Or(os.Getenv("ALEJO_CLIENT_URL"), "http://127.0.0.1:50151")
	address, secure := strings.CutPrefix(url, "https://")
	transport := insecure.NewCredentials() // on this machine only: others could read along
	if secure {
		transport = credentials.NewTLS(&tls.Config{})
	}
	retries := must(os.ReadFile("../../alejo/service_config.json"))
	server := must(grpc.NewClient(strings.TrimPrefix(address, "http://"),
		grpc.WithTransportCredentials(transport), grpc.WithDefaultServiceConfig(string(retries))))
	defer server.Close()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second) // the deadline of all that follows
	defer stop()
	if key := os.Getenv("ALEJO_API_KEY"); key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	if user := os.Getenv("ALEJO_USER"); user != "" { // not for a key that is bound to a user
		ctx = metadata.AppendToOutgoingContext(ctx, "x-alejo-user", user)
	}

	// Whatever writes carries a request id, so that sending it again does nothing twice.
	memories := pb.NewMemoryServiceClient(server)
	kept := must(memories.Remember(ctx, &pb.RememberRequest{RequestId: rand.Text(),
		Item: &pb.RememberRequest_Memory{Memory: &pb.MemoryDraft{Text: fact}}}))
	fmt.Println("remembered:", kept.Memories[0].Text)

	turn := &pb.ChatRequest{RequestId: rand.Text(), Text: question}
	frames := must(pb.NewChatServiceClient(server).ChatStream(ctx, &pb.ChatStreamRequest{Chat: turn}))
	fmt.Print("answered: ")
	for frame, err := frames.Recv(); !errors.Is(err, io.EOF); frame, err = frames.Recv() {
		fmt.Print(must(frame, err).GetDelta()) // "accepted" came first; "done" comes last and is on disk
	}

	found := must(memories.Recall(ctx, &pb.RecallRequest{Query: question, PageSize: 1}))
	fmt.Println("\nrecalled:", found.Hits[0].Memory.Text)
}

func must[T any](value T, err error) T {
	if err != nil {
		told := status.Convert(err)
		reason := told.Code().String() // of what gRPC itself says, which gives no details
		for _, detail := range told.Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok { // docs/errors.md says what to do about each
				reason = info.Reason
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", reason, told.Message())
		os.Exit(1)
	}
	return value
}
