//go:build !nocloud

package engage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// azureBucket is a container of Azure Blob Storage.
type azureBucket struct{ client *container.Client }

func openAzure(ctx context.Context, l location) (bucket, error) {
	options := &container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: rawTransport()}}}
	client, err := azureClient(ctx, l, options)
	if err != nil {
		return nil, err
	}
	return &azureBucket{client}, nil
}

func azureClient(ctx context.Context, l location, options *container.ClientOptions) (*container.Client, error) {
	if all := os.Getenv("AZURE_STORAGE_CONNECTION_STRING"); all != "" {
		client, err := container.NewClientFromConnectionString(all, l.bucket, options)
		if err != nil {
			return nil, &credentialsError{"AZURE_STORAGE_CONNECTION_STRING is not a connection string"}
		}
		return client, nil
	}
	account := cmp.Or(l.settings.Get("storage_account"), os.Getenv("AZURE_STORAGE_ACCOUNT"))
	if account == "" {
		return nil, &credentialsError{"name the account with ?storage_account=… or AZURE_STORAGE_ACCOUNT"}
	}
	address := "https://" + account + ".blob.core.windows.net/" + l.bucket
	if key := os.Getenv("AZURE_STORAGE_KEY"); key != "" {
		shared, err := container.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, &credentialsError{"AZURE_STORAGE_KEY is not the key of an account"}
		}
		return container.NewClientWithSharedKeyCredential(address, shared, options)
	}
	if token := os.Getenv("AZURE_STORAGE_SAS_TOKEN"); token != "" {
		return container.NewClientWithNoCredential(address+"?"+strings.TrimPrefix(token, "?"), options)
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err == nil {
		_, err = credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}})
	}
	if err != nil {
		return nil, &credentialsError{"set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or give this machine an identity"}
	}
	return container.NewClient(address, credential, options)
}

func (b *azureBucket) list(ctx context.Context, prefix string) iter.Seq2[blob, error] {
	return func(yield func(blob, error) bool) {
		pages := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
		for pages.More() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(blob{}, azureError(err))
				return
			}
			for _, o := range page.Segment.BlobItems {
				p := o.Properties
				if !yield(blob{*o.Name, string(*p.ETag), *p.ContentLength, *p.LastModified}, nil) {
					return
				}
			}
		}
	}
}

func (b *azureBucket) get(ctx context.Context, o blob, offset int64) (io.ReadCloser, blob, error) {
	// Lists have the tag without the quotes that are part of it.
	version := azcore.ETag(`"` + strings.Trim(o.version, `"`) + `"`)
	out, err := b.client.NewBlobClient(o.key).DownloadStream(ctx, &azblob.DownloadStreamOptions{
		Range:            azblob.HTTPRange{Offset: offset},
		AccessConditions: &azblob.AccessConditions{ModifiedAccessConditions: &azblob.ModifiedAccessConditions{IfMatch: &version}},
	})
	if err != nil {
		return nil, blob{}, azureError(err)
	}
	found := blob{key: o.key, version: o.version}
	if out.ContentLength != nil {
		found.size = *out.ContentLength
	}
	return out.Body, found, nil
}

// azureError finds the storage's answer in an error.
func azureError(err error) error {
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		return err
	}
	return &storageError{response.StatusCode, response.ErrorCode}
}
