/* Runs one example of docs/dapr.md, and writes what it has read; of any other name, calls that method of Dapr's
   API with the request on standard input. See test_dapr_page.py. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

{Dapr's API}
int main(int argc, char **argv) {
    const char *example = argc > 1 ? argv[1] : "";
    char text[100] = "";
    if (strcmp(example, "Save-state") == 0) {
        {Save state}
    } else if (strcmp(example, "Get-state") == 0) {
        {Get state}
    } else if (strcmp(example, "Delete-state") == 0) {
        {Delete state}
    } else if (strcmp(example, "Publish") == 0) {
        {Publish}
    } else if (strcmp(example, "Invoke") == 0) {
        {Invoke}
    } else if (strcmp(example, "Secret") == 0) {
        {Secret}
    } else if (strcmp(example, "Configuration") == 0) {
        {Configuration}
    } else if (strcmp(example, "Binding") == 0) {
        {Binding}
    } else {
        char request[1000] = "";
        fread(request, 1, sizeof request - 1, stdin);
        char *response = call_dapr(example, request);
        if (response == NULL)
            return 1;
        fputs(response, stdout);
    }
    fputs(text, stdout);
    return 0;
}
