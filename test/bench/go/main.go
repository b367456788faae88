// Go's net/http: one Client and Transport, a goroutine for each thread.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

var (
	url         = flag.String("url", "", "")
	requests    = flag.Int("requests", 1000, "")
	threads     = flag.Int("threads", 1, "")
	protocol    = flag.String("protocol", "http", "")
	ca          = flag.String("ca", "", "")
	api         = flag.String("api", "text", "")
	varyPath    = flag.Bool("vary-path", false, "")
	fresh       = flag.Bool("new-connection", false, "")
	connections = flag.Int("connections", 0, "")
	upload      = flag.Int("upload", 0, "")
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, "Go net/http:", err)
	os.Exit(1)
}

func makeClient() *http.Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: *threads,
		MaxConnsPerHost:     *connections,
		DisableKeepAlives:   *fresh,
		ForceAttemptHTTP2:   *protocol == "h2",
	}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			fail(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &http.Client{Transport: transport}
}

func send(client *http.Client, body []byte, n int) int64 {
	target := *url
	if *varyPath {
		target = fmt.Sprintf("%s/items/%d?page=%d", *url, n, n)
	}
	var response *http.Response
	var err error
	if *upload > 0 {
		response, err = client.Post(target, "application/octet-stream", bytes.NewReader(body))
	} else {
		response, err = client.Get(target)
	}
	if err != nil {
		fail(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		fail(fmt.Errorf("status %d", response.StatusCode))
	}
	if *api == "read" {
		size, err := io.Copy(io.Discard, response.Body)
		if err != nil {
			fail(err)
		}
		return size
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		fail(err)
	}
	return int64(len(text))
}

func loops(client *http.Client, body []byte, count int) int64 {
	var group sync.WaitGroup
	parts := make([]int64, *threads)
	for i := range parts {
		group.Add(1)
		go func(part *int64) {
			defer group.Done()
			for n := 0; n < count; n++ {
				*part += send(client, body, n)
			}
		}(&parts[i])
	}
	group.Wait()
	sum := int64(0)
	for _, part := range parts {
		sum += part
	}
	return sum
}

func peakKib() string {
	status, _ := os.ReadFile("/proc/self/status")
	return strings.Fields(strings.SplitN(string(status), "VmHWM:", 2)[1])[0]
}

func main() {
	flag.Parse()
	client := makeClient()
	body := bytes.Repeat([]byte("u"), *upload)
	loops(client, body, 1)
	begin := time.Now()
	size := loops(client, body, *requests / *threads)
	seconds := time.Since(begin).Seconds()
	fmt.Printf("{\"contender\": \"Go net/http\", \"requests\": %d, \"seconds\": %f, \"bytes\": %d, \"peak_kib\": %s}\n",
		*requests, seconds, size, peakKib())
}
